"""Writes crates/albumen-assets/tests/golden/tiny.deb: a Debian package with data.tar.xz.

The Rust crates of the workspace read xz but do not write it, hence this file. No randomness;
standard library of Python 3.11 only (xz by liblzma 5.4).
"""
import io
import lzma
import pathlib
import tarfile


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, data: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return head + data + b"\n" * (len(data) % 2)


deb = b"!<arch>\n"
deb += member("debian-binary", b"2.0\n")
deb += member("control.tar.xz", lzma.compress(tar({"./control": b"Package: tiny\n"})))
deb += member("data.tar.xz", lzma.compress(tar({"./usr/share/tiny/a.txt": b"tiny\n" * 100})))
path = pathlib.Path(__file__).parents[2] / "crates/albumen-assets/tests/golden/tiny.deb"
path.parent.mkdir(exist_ok=True)
path.write_bytes(deb)
