"""Arrays are read-only views of the file, and every one of them holds to its invariants."""

import json
from typing import ClassVar

import numpy as np
import pytest
from safetensors.numpy import load_file

from macrid.artifacts import arrays as arrays_module
from macrid.artifacts.arrays import check_arrays, map_arrays, softmax, write_arrays
from macrid.artifacts.bundle import Bundle
from macrid.artifacts.derived import derive, log_partition
from macrid.artifacts.errors import BundleError
from macrid.artifacts.schema import ARRAYS, LANDMARKS, REFINEMENT_STEP
from tests.support.bundles import random_arrays

SIZES = {"M": 12, "K": 2, "d": 4}
ANOTHER = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.float32, np.dtype(np.int64): np.int32}


@pytest.fixture
def arrays():
    """Arrays that hold to every invariant: 12 items, 2 concepts, 4 dimensions, temperature 0.1."""
    given = random_arrays(np.random.default_rng(0), items=12, concepts=2, dimensions=4)
    return {**given, **derive(given, 0.1)}


@pytest.fixture
def path(tmp_path, arrays):
    """A file of them."""
    write_arrays(tmp_path / "embeddings.safetensors", arrays)
    return tmp_path / "embeddings.safetensors"


class TestMapping:
    def test_what_is_written_is_mapped(self, path, arrays):
        mapped = map_arrays(path, SIZES)
        assert mapped.keys() == ARRAYS.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(mapped[name], array)
            assert mapped[name].dtype == ARRAYS[name].dtype

    def test_the_safetensors_library_reads_the_same(self, path):
        mapped = map_arrays(path, SIZES)
        loaded = load_file(path)
        assert loaded.keys() == mapped.keys()
        for name, array in loaded.items():
            np.testing.assert_array_equal(mapped[name], array)

    def test_arrays_are_views_of_one_map_of_the_file(self, path):
        first, second, *_ = map_arrays(path, SIZES).values()
        assert isinstance(the_map_under(first), np.memmap)
        assert the_map_under(first).filename == path
        assert the_map_under(first) is the_map_under(second)

    @pytest.mark.parametrize("name", ARRAYS)
    def test_no_array_can_be_written_to(self, path, name):
        array = map_arrays(path, SIZES)[name]
        assert array.flags.aligned
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.flags.writeable = True

    def test_what_lies_in_memory_in_another_order_is_written_in_c_order(self, tmp_path, arrays):
        turned = {**arrays, "mean_weight": np.asfortranarray(arrays["mean_weight"])}
        write_arrays(tmp_path / "turned", turned)
        np.testing.assert_array_equal(map_arrays(tmp_path / "turned", SIZES)["mean_weight"], arrays["mean_weight"])

    def test_a_bundles_arrays_are_such_views(self, pristine):
        bundle = Bundle.open(pristine)
        maps = {id(the_map_under(getattr(bundle, name))) for name in ARRAYS}
        assert len(maps) == 1
        bundle.close()


class TestTheFile:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda header: header.pop("mean_bias"), "holds the arrays .*; expected concept_weights"),
            (lambda header: header.update(more={}), "holds the arrays .*more.*; expected concept_weights"),
            (lambda header: header.update(mean_bias=3), "array mean_bias is 3, expected float32 of shape"),
            (lambda header: header["mean_bias"].update(dtype="F64"), r"expected float32 of shape \(4,\)"),
            (lambda header: header["mean_bias"].update(shape=[2, 2]), r"expected float32 of shape \(4,\)"),
            (lambda header: header["popularity"].update(dtype="U64"), r"expected int64 of shape \(12,\)"),
            (
                lambda header: header["mean_bias"].pop("data_offsets"),
                "has the offsets None, expected two whole numbers",
            ),
            (lambda header: header["mean_bias"].update(data_offsets=[0, 16.0]), "expected two whole numbers"),
            (lambda header: header["mean_bias"].update(data_offsets=[0, 8]), "expected 16 bytes, aligned"),
            (lambda header: header["mean_bias"].update(data_offsets=[2, 18]), "expected 16 bytes, aligned"),
            (lambda header: header["mean_bias"].update(data_offsets=[-16, 0]), "begins at byte -16 of the data"),
            (lambda header: header["mean_bias"].update(data_offsets=[0, 16]), "begins at byte"),
            (lambda header: header["mean_bias"].update(data_offsets=[10**6, 10**6 + 16]), "begins at byte"),
        ],
    )
    def test_a_header_that_does_not_fit_is_refused(self, path, change, message):
        rewrite_header(path, change)
        with pytest.raises(BundleError, match=rf"embeddings\.safetensors: .*{message}"):
            map_arrays(path, SIZES)

    def test_free_text_in_the_header_is_allowed_as_the_library_allows_it(self, path):
        rewrite_header(path, lambda header: header.update(__metadata__={"made by": "hand"}))
        assert map_arrays(path, SIZES).keys() == ARRAYS.keys()

    def test_bytes_that_belong_to_no_array_are_refused(self, path):
        path.write_bytes(path.read_bytes() + b"\0" * 8)
        with pytest.raises(BundleError, match=r"embeddings\.safetensors: its arrays take \d+ bytes, expected \d+"):
            map_arrays(path, SIZES)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x05",
            b"\0" * 8,
            b"\xff" * 100,
            (10).to_bytes(8, "little") + b"not json  ",
            (2).to_bytes(8, "little") + b"[]",
            (2).to_bytes(8, "little") + b"\xff\xff",
            (9_999).to_bytes(8, "little") + b"{}",
            (200_000).to_bytes(8, "little") + b"[" * 200_000,
        ],
        ids=lambda data: repr(data[:18]),
    )
    def test_what_is_no_safetensors_file_is_refused(self, path, data):
        path.write_bytes(data)
        with pytest.raises(BundleError, match=r"embeddings\.safetensors: (its header|holds the arrays)"):
            map_arrays(path, SIZES)


class TestInvariants:
    def test_good_arrays_pass_and_tell_their_sizes(self, arrays):
        assert check_arrays(arrays, 0.1, "here") == SIZES

    def test_without_places_there_is_no_map_and_all_else_holds(self, tmp_path, arrays):
        del arrays["item_places"]
        assert check_arrays(arrays, 0.1, "here") == SIZES
        write_arrays(tmp_path / "embeddings.safetensors", arrays)
        assert map_arrays(tmp_path / "embeddings.safetensors", SIZES).keys() == arrays.keys()

    def test_places_are_refused_in_a_format_that_knows_none(self, path):
        with pytest.raises(BundleError, match=r"holds the arrays .*item_places.*; expected .*prototypes$"):
            map_arrays(path, SIZES, format_version=1)

    @pytest.mark.parametrize("name", [name for name, spec in ARRAYS.items() if not spec.optional and not spec.derived])
    def test_a_missing_array_is_refused(self, arrays, name):
        del arrays[name]
        with pytest.raises(BundleError, match="here: the arrays are .*; expected .*" + name):
            check_arrays(arrays, 0.1, "here")

    def test_a_surplus_array_is_refused(self, arrays):
        arrays["more"] = np.zeros(3)
        with pytest.raises(BundleError, match=r"here: the arrays are .*more.*; expected"):
            check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("name", ARRAYS)
    def test_another_dtype_is_refused(self, arrays, name):
        arrays[name] = arrays[name].astype(ANOTHER[arrays[name].dtype])
        with pytest.raises(
            BundleError, match=rf"array {name} is (float64|float32|int32) of shape .*, expected (float32|float64|int64)"
        ):
            check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("name", [name for name in ARRAYS if name != "item_embeddings"])
    @pytest.mark.parametrize("axis", [0, -1])
    def test_another_shape_is_refused(self, arrays, name, axis):
        arrays[name] = np.concatenate([arrays[name], arrays[name]], axis=axis)
        with pytest.raises(BundleError, match=r"here: array \w+ is .*, expected .* with \{'M': 12, 'd': 4"):
            check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("name", ARRAYS)
    def test_an_array_without_rows_is_refused(self, arrays, name):
        arrays[name] = arrays[name][:0]
        with pytest.raises(BundleError, match=rf"array {name} is \w+ of shape \(0,"):
            check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("name", ARRAYS)
    def test_one_more_axis_is_refused(self, arrays, name):
        arrays[name] = arrays[name][..., None]
        with pytest.raises(BundleError, match=rf"array {name} is"):
            check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("name", [name for name, spec in ARRAYS.items() if spec.dtype is np.float32])
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_number_that_is_not_finite_is_refused_by_its_place(self, arrays, name, value):
        arrays[name].flat[-1] = value
        place = [size - 1 for size in arrays[name].shape]
        with pytest.raises(BundleError) as refusal:
            check_arrays(arrays, 0.1, "here")
        assert str(refusal.value) == f"here: array {name} holds numbers that are not finite: {value} at {place}"

    def test_a_negative_popularity_is_refused_by_its_place(self, arrays):
        arrays["popularity"][7] = -3
        with pytest.raises(BundleError, match=r"here: array popularity holds negative counts: -3 at \[7\]"):
            check_arrays(arrays, 0.1, "here")

    def test_a_negative_mass_is_refused_by_its_place(self, arrays):
        arrays["landmark_masses"][1, 7] = -0.5
        with pytest.raises(BundleError, match=r"here: array landmark_masses holds negative masses: -0.5 at \[1, 7\]"):
            check_arrays(arrays, 0.1, "here")

    def test_a_concept_for_which_no_landmark_stands_is_refused(self, arrays):
        arrays["landmark_masses"][1] = 0
        with pytest.raises(
            BundleError, match=r"here: array landmark_masses has no mass in row 1, expected some in every row"
        ):
            check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("step", [0, -1])
    def test_a_refinement_that_goes_nowhere_or_back_is_refused(self, arrays, step):
        arrays["refinement_step"][0] = step
        with pytest.raises(BundleError, match=rf"here: array refinement_step is {step}\.0, expected more than 0"):
            check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize(
        "given", [["landmarks"], [REFINEMENT_STEP, "landmark_masses"], ["landmarks", "landmark_masses"]]
    )
    def test_a_part_of_a_refinement_is_refused(self, arrays, given):
        some = {
            name: array for name, array in arrays.items() if name in given or name not in (REFINEMENT_STEP, *LANDMARKS)
        }
        message = f"here: of the refinement there is only {', '.join(given)}; expected refinement_step alone, or with"
        with pytest.raises(BundleError, match=message):
            check_arrays(some, 0.1, "here")

    @pytest.mark.parametrize("missing", [LANDMARKS, (REFINEMENT_STEP, *LANDMARKS)])
    def test_without_landmarks_and_without_a_refinement_it_is_whole(self, arrays, missing):
        rest = {name: array for name, array in arrays.items() if name not in missing}
        assert check_arrays(rest, 0.1, "here") == SIZES

    def test_a_step_alone_must_go_somewhere_too(self, arrays):
        del arrays["landmarks"], arrays["landmark_masses"]
        arrays["refinement_step"][0] = 0
        with pytest.raises(BundleError, match=r"here: array refinement_step is 0\.0, expected more than 0"):
            check_arrays(arrays, 0.1, "here")

    def test_a_popularity_of_zero_is_fine(self, arrays):
        arrays["popularity"][:] = 0
        arrays["items_by_popularity"] = np.arange(12)  # all equal: the lower index first
        check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("name", ["item_embeddings", "prototypes"])
    @pytest.mark.parametrize(("factor", "length"), [(1.01, "1.01"), (0, "0"), (1e30, r"(1e\+30|inf)")])
    def test_a_row_that_is_not_of_length_one_is_refused(self, arrays, name, factor, length):
        arrays[name][1] *= np.float32(factor)
        with pytest.raises(BundleError, match=f"here: array {name} has row 1 of length {length}, expected 1"):
            check_arrays(arrays, 0.1, "here")

    def test_context_embeddings_may_have_any_length(self, arrays):
        arrays["context_embeddings"] *= np.float32(7)
        check_arrays(arrays, 0.1, "here")

    def test_concept_weights_must_follow_from_items_and_prototypes(self, arrays):
        arrays["concept_weights"][5] = arrays["concept_weights"][5][::-1]
        with pytest.raises(BundleError, match=r"here: array concept_weights has row 5 off by .*, expected softmax"):
            check_arrays(arrays, 0.1, "here")

    def test_concept_weights_must_follow_from_the_temperature(self, arrays):
        with pytest.raises(BundleError, match=r"concept_weights .* with temperature 0\.5"):
            check_arrays(arrays, 0.5, "here")

    @pytest.mark.parametrize("temperature", [0, -0.1, float("nan"), float("inf")])
    def test_a_temperature_is_above_zero(self, arrays, temperature):
        with pytest.raises(BundleError, match=r"here: the temperature is .*, expected a number above 0"):
            check_arrays(arrays, temperature, "here")

    def test_a_temperature_too_low_for_float32_is_refused_rather_than_passed_as_nan(self, arrays):
        with pytest.raises(BundleError, match="concept_weights has row 0 off by nan"):
            check_arrays(arrays, 1e-300, "here")


class TestInSlices:
    """Arrays are looked at in slices, so that checking takes no memory in proportion to the catalogue."""

    @pytest.fixture(autouse=True)
    def _five_rows_at_once(self, monkeypatch):
        monkeypatch.setattr(arrays_module, "ROWS_AT_ONCE", 5)

    def test_good_arrays_pass(self, arrays):
        check_arrays(arrays, 0.1, "here")

    @pytest.mark.parametrize("row", [0, 4, 5, 11])
    def test_a_fault_is_found_in_any_slice_and_named_by_its_own_row(self, arrays, row):
        faults = {
            "item_embeddings": f"has row {row} of length 2",
            "concept_weights": f"has row {row} off by",
            "popularity": rf"-\d+ at \[{row}\]",
        }
        for name, message in faults.items():
            damaged = {**arrays, name: arrays[name].copy()}
            damaged[name][row] *= -1 if name == "popularity" else 2
            with pytest.raises(BundleError, match=f"array {name} .*{message}"):
                check_arrays(damaged, 0.1, "here")


def test_softmax_gives_shares_that_do_not_depend_on_a_common_part():
    # exp(0) : exp(log 3) = 1 : 3
    np.testing.assert_allclose(softmax(np.array([[0, np.log(3)], [1000, 1000 + np.log(3)]])), [[0.25, 0.75]] * 2)


def rewrite_header(path, change):
    """Let `change` alter the header in place, and put the data behind it as before."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def the_map_under(array):
    """The array that owns the map of which this one is a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class TestDerived:
    """One concept per axis; three items: on the first, on the second, and between them but nearer to the second."""

    GIVEN: ClassVar = {
        "item_embeddings": np.array([[0.6, 0.8], [1, 0], [0, 1]], dtype=np.float32),
        "prototypes": np.eye(2, dtype=np.float32),
        "concept_weights": np.array([[0.4, 0.6], [0.9, 0.1], [0.5, 0.5]], dtype=np.float32),
        "popularity": np.array([3, 7, 7]),
    }

    def test_they_are_what_the_others_say(self):
        derived = derive(self.GIVEN, 0.5)
        assert derived["main_concepts"].tolist() == [1, 0, 0]  # of equal weights the first
        assert derived["items_by_concept"].tolist() == [1, 2, 0]
        assert derived["items_by_popularity"].tolist() == [1, 2, 0]
        expected = [np.log(np.exp(0.6 / 0.5) + np.exp(0.8 / 0.5)), *[np.log(np.exp(2) + 1)] * 2]
        np.testing.assert_allclose(derived["log_partition"], expected, rtol=1e-7)

    def test_equal_items_have_equal_numbers_wherever_they_stand(self):
        rng = np.random.default_rng(1)
        rows = np.repeat(rng.normal(size=(7, 33)).astype(np.float32), 40, axis=0)
        numbers = log_partition(rows, rng.normal(size=(5, 33)).astype(np.float32), 0.1).reshape(7, 40)
        assert (numbers == numbers[:, :1]).all()

    @pytest.mark.parametrize("name", [name for name, spec in ARRAYS.items() if spec.derived])
    def test_what_does_not_follow_is_refused(self, arrays, name):
        wrong = arrays[name].copy()
        wrong[[3, 7]] = wrong[[7, 3]] if wrong[3] != wrong[7] else 1 - wrong[3]
        with pytest.raises(BundleError, match=rf"array {name} holds .* at \[3\], expected .* as it follows"):
            check_arrays({**arrays, name: wrong}, 0.1, "here")

    def test_a_reader_asks_for_them_all(self, tmp_path, arrays):
        del arrays["log_partition"]
        write_arrays(tmp_path / "without", arrays)
        with pytest.raises(BundleError, match="holds the arrays"):
            map_arrays(tmp_path / "without", SIZES)
        del arrays["main_concepts"], arrays["items_by_concept"], arrays["items_by_popularity"]
        del arrays["landmarks"], arrays["landmark_masses"], arrays["refinement_step"]
        write_arrays(tmp_path / "older", arrays)
        assert map_arrays(tmp_path / "older", SIZES, format_version=2).keys() == arrays.keys()
