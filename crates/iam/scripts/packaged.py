"""What the refresh scripts share: a pinned package from PyPI, in a folder that goes away again."""

import argparse
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def compress(text):
    """Raw deflate."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return compressor.compress(text.encode("utf-8")) + compressor.flush()


def inflate(block):
    return zlib.decompress(block, -15).decode("utf-8")


def pack(index, blocks):
    """A data file: the lengths of its index, compressed and not, the index, and the blocks."""
    packed = compress(index)
    return struct.pack("<II", len(packed), len(index.encode("utf-8"))) + packed + b"".join(blocks)


def unpack(file):
    """The index of a data file, and the blocks behind it."""
    (length, _) = struct.unpack_from("<II", file)
    return inflate(file[8 : 8 + length]), file[8 + length :]


def install(folder, package, version, hashes):
    """Installs the package alone, checked against its hash, and returns its folder."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package}=={version} " + " ".join(f"--hash={value}" for value in hashes) + "\n")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--require-hashes", "-r", requirements], check=True)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return pathlib.Path(site) / package


def main(package, version, hashes, output, build, decode):
    """Writes the file, or with --check compares it with the committed one."""
    arguments = argparse.ArgumentParser(description=f"Makes {output} from {package} {version}.")
    arguments.add_argument("--check", action="store_true", help="compare only; exit 1 where the committed file differs")
    check = arguments.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        made = build(install(pathlib.Path(folder), package, version, hashes), DATA)
    target = DATA / output
    if not check:
        target.write_bytes(made)
        print(f"{target.name}: {len(made)} bytes from {package} {version}")
        return 0
    committed = target.read_bytes()
    # Another zlib compresses the same text to other bytes.
    if decode(committed) != decode(made):
        print(f"{target.name} is not what {package} {version} gives", file=sys.stderr)
        return 1
    print(f"{target.name} is what {package} {version} gives" + ("" if committed == made else " (compressed otherwise)"))
    return 0
