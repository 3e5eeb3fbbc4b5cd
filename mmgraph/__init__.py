"""From raw media to predicted links."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin slow a shared machine; read when torch starts
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch's large tables in pages of two megabytes: new ones in half the time
