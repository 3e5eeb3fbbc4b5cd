"""The benchmark of encoding runs from end to end, on little of everything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "encode.py"


@pytest.mark.real
def test_it_runs_and_writes_ratios(shared, tmp_path):
    command = [sys.executable, str(SCRIPT), "--quick", "--only", "photos,videos", "--out", str(tmp_path)]
    ran = subprocess.run([*command, "--data", str(shared / "data")], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    results = json.loads((tmp_path / "encode.json").read_text())
    assert set(results["cases"]) == {"photos", "videos"}, ran.stderr
    ratios = {name for case in results["cases"].values() for name in case["ratios"]}
    assert ratios == {"of memory"} | {f"of the loop, {what} one by one" for what in ("pictures", "frames", "segments")}
    assert "files of memory" in (tmp_path / "encode.md").read_text()
