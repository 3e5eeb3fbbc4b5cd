import sys
from types import SimpleNamespace

import pytest

from mmgraph.encode.devices import present, resolved
from mmgraph.errors import SettingsError


@pytest.fixture
def machine(monkeypatch):
    def with_devices(cards, mps=False):
        cuda = SimpleNamespace(is_available=lambda: cards > 0, device_count=lambda: cards)
        backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps))
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, backends=backends))

    return with_devices


@pytest.mark.parametrize(("cards", "mps", "device"), [(2, False, "cuda"), (0, True, "mps"), (0, False, "cpu")])
def test_auto_takes_what_the_machine_has(machine, cards, mps, device):
    machine(cards, mps)
    assert resolved("auto") == device
    assert resolved("cpu") == "cpu"
    assert resolved(device) == device


def test_each_card_has_its_name(machine):
    machine(2)
    assert present() == ["cpu", "cuda", "cuda:0", "cuda:1"]
    assert resolved("cuda:1") == "cuda:1"
    with pytest.raises(SettingsError, match="device is not there; given: cuda:2; this machine has: cpu, cuda, cuda:0, cuda:1"):
        resolved("cuda:2")
    with pytest.raises(SettingsError, match="encoders.device is not there; given: mps"):
        resolved("mps")


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "CPU", "cuda:x"])
def test_a_name_that_is_none(device):
    with pytest.raises(SettingsError, match="encoders.device is not known; .*write auto, cpu, cuda, cuda:1 or mps"):
        resolved(device)
