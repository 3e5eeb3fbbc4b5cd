"""How many bytes of tensors live at once, counted op by op."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_COPY_WITHIN = {torch.ops.aten.logsumexp.default}  # the kernel makes a copy of its input that no one sees


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what operations within it allocate and free; ``peak`` is the most that lived at once.

    What was there before counts nothing, nor do views and what a kernel takes for itself while it runs (but for the largest
    such: see _COPY_WITHIN). The same for real tensors, for those on a GPU, and for fake ones that have shapes only.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, weakref.finalize[Any, Any]] = {}

    def hold(self, size: int) -> None:
        """Bytes that live beside what is counted, from now on; negative to free them."""
        self.now += size
        self.peak = max(self.peak, self.now)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        for given in tree_leaves((args, kwargs)):
            if isinstance(given, Tensor):
                self._add(given, 0)
        out = func(*args, **(kwargs or {}))
        for made in tree_leaves(out):
            if isinstance(made, Tensor):
                self._add(made, None)
        if func in _COPY_WITHIN:
            self.peak = max(self.peak, self.now + args[0].untyped_storage().nbytes())
        return out

    def _add(self, tensor: Tensor, size: int | None) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes() if size is None else size
        self._known[key] = weakref.finalize(storage, self._free, key, size)
        self._known[key].atexit = False
        self.hold(size)

    def _free(self, key: int, size: int) -> None:
        self._known.pop(key, None)
        self.now -= size
