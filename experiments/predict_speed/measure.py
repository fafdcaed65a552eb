"""`sweeper predict` on many files, some broken, beside `model.predict` on decoded arrays.

    python experiments/predict_speed/measure.py MODEL.keras [--images 10000] [--broken 20]

Files are JPEGs of 256 x 256 pixels, crops of two photographs. `model.predict` has arrays that are
decoded and resized already, and its first call, which builds its graph, is not counted. Of
`predict` the rate is that which it prints, and that of the whole command.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

SIDE = 256
BATCH = 32


def write_files(folder: Path, images: int, broken: int) -> set[str]:
    """Write the files; returns the names of the broken ones."""
    rng = np.random.default_rng(0)
    photographs = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    bad = set(rng.choice(images, broken, replace=False).tolist())
    names = set()
    for number in range(images):
        pixels = photographs[number % 2]
        top, left = (int(rng.integers(0, edge - SIDE)) for edge in pixels.shape[:2])
        path = folder / f"{number:05}.jpg"
        Image.fromarray(pixels[top : top + SIDE, left : left + SIDE]).save(path)
        if number in bad:
            path.write_bytes(path.read_bytes()[:700])
            names.add(str(path))
    return names


def resident(pid: int) -> float:
    """Memory of a process, in 10**6 bytes."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def predict(model: Path, folder: Path, images: int) -> tuple[set[str], int, float, list[float]]:
    """Files named as broken, lines printed, images a second, memory after each eighth."""
    command = [sys.executable, "-m", "sweeper", "predict", str(model), str(folder)]
    memory: list[float] = []
    lines = 0
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        for _ in process.stdout:
            lines += 1
            if lines % (images // 8) == 0:
                memory.append(resident(process.pid))
        process.wait()
        errors.seek(0)
        written = errors.read()
    rate = float(re.search(r"([\d,.]+) a second", written)[1].replace(",", ""))
    named = {line.split(": ")[0] for line in written.splitlines() if line.startswith("/")}
    return named, lines, rate, memory


def plain(model: Path, images: int) -> float:
    """Images a second of ``model.predict`` on arrays."""
    program = f"""
import time, keras, numpy as np
model = keras.saving.load_model({str(model)!r}, compile=False)
images = np.random.default_rng(0).integers(0, 256, ({images}, *model.input_shape[1:]))
images = images.astype(np.float32)
model.predict(images[:{BATCH}], verbose=0)
began = time.perf_counter()
model.predict(images, batch_size={BATCH}, verbose=0)
print({images} / (time.perf_counter() - began))
"""
    ended = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
    return float(ended.stdout.split()[-1])


def main() -> None:
    """Measure three times in turns, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--broken", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        broken = write_files(folder, given.images, given.broken)
        ours, theirs = [], []
        for _ in range(3):
            began = time.perf_counter()
            named, lines, rate, memory = predict(given.model.resolve(), folder, given.images)
            whole = given.images / (time.perf_counter() - began)
            ours.append(rate)
            theirs.append(plain(given.model.resolve(), min(given.images, 4000)))
            shown = " ".join(f"{one:.0f}" for one in memory)
            print(
                f"predict {rate:.0f} a second, {whole:.0f} with the start; predicted {lines}, "
                f"named {len(named)}, the right ones: {named == broken}; MB: {shown}; "
                f"model.predict {theirs[-1]:.0f}",
                flush=True,
            )
        print(f"ratio {statistics.median(ours) / statistics.median(theirs):.2f}")


if __name__ == "__main__":
    main()
