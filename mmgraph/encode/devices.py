"""Where encoders compute: the name in the settings -> a device that this machine has."""

import re

from mmgraph.errors import SettingsError

_FORM = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def resolved(device: str) -> str:
    """``auto`` -> cuda, mps or cpu, the first that is there; others as they are. Raises SettingsError for one that is not."""
    if _FORM.fullmatch(device) is None:
        raise SettingsError("encoders.device is not known", given=device, todo="write auto, cpu, cuda, cuda:1 or mps")
    if device == "cpu":
        return device
    here = present()
    if device == "auto":
        return next((one for one in ("cuda", "mps") if one in here), "cpu")
    if device not in here:
        raise SettingsError("encoders.device is not there", given=device, todo=f"this machine has: {', '.join(here)}")
    return device


def present() -> list[str]:
    """The devices of this machine, as the setting names them: ``cpu``, ``cuda``, ``cuda:0`` …, ``mps``."""
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = ["cpu", *(["cuda"] if cards else []), *(f"cuda:{number}" for number in range(cards))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found
