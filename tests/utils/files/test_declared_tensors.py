"""Sizes that a file of torch.save declares and does not have; files that torch wrote pass."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.utils.files.torch_archives import rewritten, with_number
from utils.errors import UserError
from utils.files.declared_tensors import check_torch_file
from utils.files.tensors import LOAD_ERRORS, load_tensor_or_array, load_tensors

VALUE = torch.arange(77.0).reshape(11, 7)
WRITTEN: list[Any] = [
    VALUE,
    torch.tensor(1.5),
    torch.zeros(0, 3),
    VALUE[2:5, 1:3],
    VALUE.T,
    VALUE[:1].expand(9, 7),
    torch.zeros(1).expand(10**15, 1024),
    torch.nn.Parameter(VALUE),
    torch.ones(3, dtype=torch.uint16),
    torch.ones(3, dtype=torch.complex64).conj(),
    torch._neg_view(torch.ones(3)),
    torch.eye(3).to_sparse(),
    torch.zeros(3, 4, device="meta"),
    VALUE.untyped_storage(),
    torch.zeros(42, dtype=torch.uint8)[:40].view(torch.float32),
    {"a": VALUE, "b": VALUE[3:], "c": [1, None, "x", (2.5, True)], "d": {1, 2}, "e": bytearray(b"ab")},
    torch.optim.AdamW([torch.nn.Parameter(VALUE)]).state_dict(),
]


def refusal(path: Path) -> str:
    with pytest.raises(LOAD_ERRORS) as raised:
        check_torch_file(path)
    for load in (load_tensors, load_tensor_or_array):
        with pytest.raises(LOAD_ERRORS):
            load(path)
    return str(raised.value)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.parametrize("value", WRITTEN, ids=range(len(WRITTEN)))
@pytest.mark.parametrize("as_zip", [True, False])
def test_what_torch_wrote_passes(tmp_path: Path, value: Any, as_zip: bool):
    torch.save(value, tmp_path / "a.pt", _use_new_zipfile_serialization=as_zip)
    check_torch_file(tmp_path / "a.pt")


@pytest.mark.parametrize("number", [78, 10**6, 10**15])
def test_a_storage_of_another_size_than_its_record(tmp_path: Path, number: int):
    path = rewritten(tmp_path / "a.pt", VALUE, pickled=with_number(77, number))
    assert refusal(path) == f"it declares {4 * number:,} bytes of numbers and has 308 bytes of them"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (11, 12, r"a tensor of shape (12, 7) in it reaches to byte 336 of 308"),
        (11, 10**15, "reaches to byte"),
        (11, -1, "of a size that no tensor has"),
        (7, 10**30, "of a size that no tensor has"),
        (7, -7, "of a size that no tensor has"),
        (0, 10**12, "reaches to byte"),
        (0, 1, "reaches to byte 312 of 308"),
    ],
)
def test_a_tensor_that_lies_outside_of_its_storage(tmp_path: Path, old: int, new: int, said: str):
    assert said in refusal(rewritten(tmp_path / "a.pt", VALUE, pickled=with_number(old, new)))


@pytest.mark.parametrize("number", [78, 10**9, 10**15])
def test_a_legacy_file_with_less_than_it_declares(tmp_path: Path, number: int):
    """torch takes the memory that the pickle asks for before it reads how much is there."""
    torch.save(VALUE, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    written = (tmp_path / "a.pt").read_bytes()
    begin = written.index(b"\x80\x02ctorch._utils")
    changed = with_number(77, number)(written[begin : written.index(b".\x80\x02]", begin) + 1])
    (tmp_path / "a.pt").write_bytes(written[:begin] + changed + written[written.index(b".\x80\x02]", begin) + 1 :])
    assert "it declares" in refusal(tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes(written[:-1])
    assert refusal(tmp_path / "a.pt") == "it declares 316 bytes of numbers and has 315 of them"


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_records_are_refused(tmp_path: Path, compression: int):
    """They are no damage: the file is to be saved again, not made again."""
    path = rewritten(tmp_path / "a.pt", {"a" * 1000: VALUE}, compression=compression)
    assert refusal(path) == (
        f"{path} was compressed after torch.save wrote it, and is not read like that: load it with torch.load and save "
        "it again with torch.save"
    )


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("protocol", [4, 5])
def test_later_protocols_of_pickle_are_named(tmp_path: Path, protocol: int, as_zip: bool):
    """Without the warning of torch, which would be a second line beside the sentence."""
    torch.save(VALUE, tmp_path / "a.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=as_zip)
    assert refusal(tmp_path / "a.pt").endswith("save it again with torch.save, without pickle_protocol")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 3:UserWarning")
@pytest.mark.parametrize("as_zip", [True, False])
def test_protocol_3_is_read_where_torch_reads_it(tmp_path: Path, as_zip: bool):
    torch.save(VALUE, tmp_path / "a.pt", pickle_protocol=3, _use_new_zipfile_serialization=as_zip)
    assert torch.equal(load_tensors(tmp_path / "a.pt"), VALUE)
    torch.save(VALUE.numpy(), tmp_path / "a.pt", pickle_protocol=3, _use_new_zipfile_serialization=as_zip)
    with pytest.raises(UserError, match="without pickle_protocol"):
        load_tensor_or_array(tmp_path / "a.pt")


def test_a_program_of_torchscript_is_named(tmp_path: Path):
    more = (("constants.pkl", b"\x80\x02)."), ("code/__torch__.py", b"text " * 100))
    path = rewritten(tmp_path / "a.pt", VALUE, more=more)
    assert (
        refusal(path) == f"{path} holds a program of TorchScript, which is never run: save its tensors with torch.save"
    )


def test_another_archive_is_not_called_compressed(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", b"0" * 1000)
    assert refusal(tmp_path / "a.pt") == "it is an archive of something else than torch.save writes"


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("name", ["data.pkl", "DATA.PKL", "data/0", "version"])
def test_two_records_of_one_name_are_refused(tmp_path: Path, name: str):
    """torch looks names up without regard to letter case, and may take the other."""
    path = rewritten(tmp_path / "a.pt", VALUE, more=((name, b"other"),))
    assert refusal(path).startswith("two records have the name")


@pytest.mark.parametrize(
    ("replace", "said"),
    [
        ({"/data.pkl": None}, "an archive of something else"),
        ({"/data/0": None}, "has no bytes of them"),
        ({"/data.pkl": b""}, "ends early"),
        ({"/data.pkl": b"\x80\x02."}, "takes more than it has put down"),
    ],
)
def test_records_that_are_not_there(tmp_path: Path, replace: dict[str, bytes | None], said: str):
    assert said in refusal(rewritten(tmp_path / "a.pt", VALUE, replace=replace))


def test_records_over_one_another_and_a_second_directory_are_refused(tmp_path: Path):
    path = tmp_path / "a.pt"
    torch.save({"a": VALUE, "b": VALUE + 1}, path)
    written = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first, second = (archive.getinfo(f"a/data/{key}").header_offset for key in (0, 1))
        directory = archive.start_dir
    head, tail = written[:directory], written[directory:]
    path.write_bytes(head + tail.replace(struct.pack("<I", second), struct.pack("<I", first)))
    assert "over one another" in refusal(path)
    path.write_bytes(written[:4] + b"\0" * 60 + written)
    assert "directory" in refusal(path) or "record" in refusal(path)


class Instructions:
    """A pickle of torch that ends in instructions of one's own."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __call__(self, _: bytes) -> bytes:
        return b"\x80\x02" + self.text + b"."


TUPLES = b")\x85" + b"2\x86" * 40  # a tuple of two tuples of two tuples ...


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"}" + TUPLES + b"K\x01s", "things in things without end"),
        (b"]r\xff\xff\xff\xff", "at place 4294967295"),
        (b"cbuiltins\nbytearray\n\x8a\x06\0\0\0\0\0\x01\x85R", "it makes bytes from a number"),
        (b"ctorch\nFloatTensor\n\x8a\x06\0\0\0\0\0\x01\x85R", "it makes a tensor without a storage"),
        (b"ctorch.storage\nUntypedStorage\n\x8a\x06\0\0\0\0\0\x01\x85R", "not callable"),
        (b"X\xff\xff\xff\x7fabc", "ends early"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc", "ends early"),
        (b"\x96\xff\xff\xff\xff\xff\x00\x00\x00abc", "ends early"),
        (b"(" * 500 + b"t" * 500, "things in things without end"),
        (
            b"(U\x07storagectorch\nFloatStorage\nX\x01\0\0\0aX\x03\0\0\0cpu\x8a\x08" + b"\xff" * 8 + b"tQ",
            "declares a storage",
        ),
        (b"(U\x07storagectorch\nOtherStorage\nX\x01\0\0\0aX\x03\0\0\0cpuK\x01tQ", "unknown OtherStorage"),
        (b"K\x01Q", "declares a storage"),
        (b"h\x07", "uses what it has not kept"),
        (b"\xff", "it is no pickle"),
        (b"]" * 1_000_001, "more than 1,000,000 instructions"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else "",
)
def test_pickles_that_ask_for_far_more_than_they_are(tmp_path: Path, text: bytes, said: str):
    assert said in refusal(rewritten(tmp_path / "a.pt", VALUE, pickled=Instructions(text)))


def test_a_storage_cannot_be_told_another_size(tmp_path: Path):
    path = rewritten(tmp_path / "a.pt", VALUE, pickled=lambda content: content.replace(b"Q", b"Q}b", 1))
    assert refusal(path) == "it changes a storage"


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"ustar", b"PK\x03\x04", b"\x80", pickle.dumps([1.0])])
def test_other_files(tmp_path: Path, content: bytes):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(LOAD_ERRORS):
        check_torch_file(tmp_path / "a.pt")


def test_names_that_are_no_text_are_told_as_one_reason(tmp_path: Path):
    path = rewritten(
        tmp_path / "a.pt", VALUE, pickled=lambda c: c.replace(b"_rebuild_tensor_v2", b"_rebuild\xfftensor_v2")
    )
    with pytest.raises(LOAD_ERRORS):
        load_tensors(path)
