"""Record the job that `espalier demo --recorded` shows: `python -m benchmarks.recording DATA_DIR JOB`."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from espalier.app.client.demo import RECORDING
from espalier.storage.database import Database
from espalier.storage.recordings import recording


def main(folder: Path, job: str) -> None:
    """Write it down, of a service that keeps its database in this directory."""
    database = Database(f"sqlite:///{folder / 'espalier.db'}")
    with database.session() as session:
        text = recording(session, job).model_dump_json()
    database.close()
    RECORDING.write_bytes(gzip.compress(text.encode(), mtime=0))
    sys.stdout.write(f"{RECORDING.name}: {RECORDING.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
