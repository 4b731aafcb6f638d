"""The scoring service: audio in; score, breakdown with evidence, and transcript out. A process of its own: ``python -m voc_stream.scoring``."""

import os

# numpy's matrices are small here, and a second thread for them only spins. Read when numpy is loaded, which is after this.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
