"""Tables as people have them: CSV, TSV (gzipped or not), Parquet and folders of it, read with polars; columns found and checked.

Every CSV column is read as text, so that ids keep their leading zeros. Whatever cannot be used is refused with the file, the
column, the row and the value.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from macrid.model.errors import DataError

ROWS_AT_ONCE = 2_000_000
NOT_BLANK = ~pl.all_horizontal(pl.all().is_null())
SEPARATORS = {".csv": ",", ".tsv": "\t"}
TIME_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
# After a time of day: Z, or hours and perhaps minutes from UTC.
OFFSET = r"(:\d\d(?:\.\d+)?) ?(?:Z|([+-])(\d\d):?(\d\d)?)$"


def read_table(path: Path) -> pl.DataFrame:
    """Read a file with a header; blank lines are skipped, names lose surrounding blanks.

    Raises:
        DataError: the file is absent, empty, of another kind, or cannot be parsed.
    """
    kind = _kind_of(path)
    with _explained(path, kind):
        if kind == ".parquet":
            return pl.read_parquet(path, glob=False)
        frame = pl.read_csv(path, separator=SEPARATORS[kind], infer_schema=False, glob=False)
        frame.columns = _tidy_names(frame.columns, path)
        return frame.filter(NOT_BLANK)


def _kind_of(path: Path) -> str:
    """The suffix that tells the format.

    Raises:
        DataError: the file is absent or of another kind.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    kind = suffixes[-1] if suffixes else ""
    if kind not in (*SEPARATORS, ".parquet"):
        named = kind or "a name without suffix"
        raise DataError(f"{path}: cannot tell its format from {named!r}; expected .csv, .tsv or .parquet")
    return kind


@contextmanager
def _explained(path: Path, kind: str) -> Iterator[None]:
    """Turn what polars says of a file into what a person can do."""
    try:
        yield
    except pl.exceptions.NoDataError as error:
        raise DataError(
            f"{path}: the file is empty; expected a header line and a line per interaction or item"
        ) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: cannot be read as {kind[1:]}: {_advice(str(error))}") from error


def _advice(message: str) -> str:
    if "truncate_ragged_lines" in message:
        return "a line has more fields than the header; put fields that hold the separator in double quotes"
    if "utf-8" in message.lower() or "utf8" in message.lower():
        return "it is not UTF-8; save it with that encoding"
    if "malformed" in message or "could not parse" in message:
        return "a field holds a double quote; put the field in double quotes, and double those that are in it"
    return message.splitlines()[0]


def _tidy_names(columns: list[str], path: Path) -> list[str]:
    if any("\0" in name for name in columns):
        raise DataError(f"{path}: the header holds zero bytes, as text in UTF-16 does; save the file as UTF-8")
    names = [name.strip() for name in columns]
    as_written = [name.split("_duplicated_")[0] for name in names]  # polars tells equal ones apart so
    repeated = next((name for at, name in enumerate(as_written) if name in names[:at]), None)
    if repeated is not None:
        raise DataError(f"{path}: the header names the column {repeated!r} twice")
    return names


@dataclass(frozen=True)
class Stream:
    """A table that is read batch by batch: the names of its columns, and their types."""

    path: Path
    kind: str
    columns: list[str]
    types: dict[str, pl.DataType]
    rows: pl.LazyFrame

    def batches(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows of some columns in order, some millions at a time.

        Raises:
            DataError: the file cannot be parsed.
        """
        with _explained(self.path, self.kind):
            yield from self.rows.select(columns).collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=True)


def stream_table(path: Path) -> Stream:
    """A table to be read batch by batch: a file, or a folder of Parquet parts in the order of their names.

    Raises:
        DataError: the file is absent, empty, of another kind, or cannot be parsed, or a part has other columns than the first.
    """
    if path.is_dir():
        return _stream_parts(path)
    kind = _kind_of(path)
    if path.suffix.lower() == ".gz":  # nothing streams out of gzip; it is read whole
        rows = read_table(path).lazy()
    else:
        with _explained(path, kind):
            rows = _scan(path, kind)
    types = dict(rows.collect_schema())
    return Stream(path, kind, list(types), types, rows)


def _scan(path: Path, kind: str) -> pl.LazyFrame:
    if kind == ".parquet":
        rows = pl.scan_parquet(path, glob=False, low_memory=True)
        rows.collect_schema()
        return rows
    rows = pl.scan_csv(path, separator=SEPARATORS[kind], infer_schema=False, glob=False, low_memory=True)
    names = rows.collect_schema().names()
    return rows.rename(dict(zip(names, _tidy_names(names, path), strict=True))).filter(NOT_BLANK)


def _stream_parts(folder: Path) -> Stream:
    deeper = next((part for part in folder.rglob("*.[pP][aA][rR][qQ][uU][eE][tT]") if part.parent != folder), None)
    if deeper is not None:
        raise DataError(f"{deeper}: lies in a folder of its own; expected all parts of the table in {folder} itself")
    parts = sorted(part for part in folder.iterdir() if part.suffix.lower() == ".parquet")
    if not parts:
        raise DataError(f"{folder}: a folder without .parquet files; expected the parts of one table")
    types = []
    for part in parts:
        with _explained(part, ".parquet"):
            types.append(dict(pl.scan_parquet(part, glob=False).collect_schema()))
    for part, other in zip(parts, types, strict=True):
        if other != types[0]:
            raise DataError(
                f"{part}: has the columns {_named(other)}, expected those of {parts[0].name}: {_named(types[0])}"
            )
    rows = pl.scan_parquet(parts, glob=False, low_memory=True)
    return Stream(folder, ".parquet", list(types[0]), types[0], rows)


def _named(types: Mapping[str, object]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in types.items())


def find_column(frame: pl.DataFrame | Stream, path: Path, role: str, wanted: str | None, usual: tuple[str, ...]) -> str:
    """The name of the column that plays `role`: the one asked for, or the first with a usual name, regardless of case.

    Raises:
        DataError: there is none; the message lists the columns there are and the option that names one.
    """
    found = column_or_none(frame, wanted, usual)
    if found is None:
        sought = f"{wanted!r}" if wanted else " or ".join(repr(name) for name in usual)
        raise DataError(
            f"{path}: no {role} column {sought}; the columns are {', '.join(map(repr, frame.columns))}. "
            f"Name the right one with --{role}-column{_other_separator(frame)}"
        )
    return found


def column_or_none(frame: pl.DataFrame | Stream, wanted: str | None, usual: tuple[str, ...]) -> str | None:
    """The same, or None."""
    if wanted is not None:
        return wanted if wanted in frame.columns else None
    by_lower_case = {name.lower(): name for name in reversed(frame.columns)}
    return next((by_lower_case[name] for name in usual if name in by_lower_case), None)


def _other_separator(frame: pl.DataFrame | Stream) -> str:
    other = next((mark for mark in ";\t," if len(frame.columns) == 1 and mark in frame.columns[0]), None)
    return "" if other is None else f"; or is {other!r} the separator? A .csv file has commas, a .tsv file tabs"


def as_text(values: pl.Series, path: Path) -> pl.Series:
    """Ids and titles as text; whole numbers that a Parquet file keeps as floats lose their '.0'.

    Raises:
        DataError: the column holds lists, structures or bytes, or a number that is infinite or none.
    """
    if values.dtype.is_float():
        numbers = values.drop_nulls()
        if not numbers.is_finite().all():
            odd = numbers.filter(~numbers.is_finite())[0]
            raise DataError(f"{path}: column {values.name!r} holds {odd}, expected finite numbers or text")
        if (numbers == numbers.round()).all() and (numbers.abs() < 2**63).all():
            values = values.cast(pl.Int64)
    if values.dtype.is_nested() or values.dtype == pl.Binary or values.dtype == pl.Object:
        raise DataError(f"{path}: column {values.name!r} holds {values.dtype}, expected text or numbers")
    return values.cast(pl.String)


def as_numbers(values: pl.Series, path: Path, first: int = 1) -> pl.Series:
    """Finite numbers; `first` is the number of the first data row.

    Raises:
        DataError: names the first row whose value is none.
    """
    numbers = (values if values.dtype.is_numeric() else as_text(values, path)).cast(pl.Float64, strict=False)
    row = (numbers.is_null() | ~numbers.is_finite().fill_null(value=False)).arg_max()
    if row is not None and (numbers[row] is None or not numbers.is_finite()[row]):
        value = values[row]
        hint = "; write decimals with a point" if isinstance(value, str) and "," in value else ""
        raise DataError(f"{path}: column {values.name!r}, data row {row + first}: {value!r} is not a number{hint}")
    return numbers


def as_times(values: pl.Series, path: Path) -> pl.Series:
    """Numbers or ISO 8601 times, whichever fits more of the values; times that say how far they are from UTC are brought to it.

    Raises:
        DataError: names the first row whose value does not fit.
    """
    if values.dtype.is_temporal() and not values.null_count():
        return values
    text = as_text(values, path)
    fractions = text.cast(pl.Float64, strict=False)
    readings = {
        "number": fractions.set(~fractions.is_finite().fill_null(value=False), None),
        "time in ISO 8601": _clock_times(text),
    }
    kind, times = min(readings.items(), key=lambda reading: reading[1].null_count())
    if times.null_count():
        row = int(times.is_null().arg_max() or 0)
        where = f"{path}: column {values.name!r}, data row {row + 1}: {values[row]!r}"
        if all(reading[row] is None for reading in readings.values()):
            raise DataError(f"{where} is neither a number nor an ISO 8601 time")
        raise DataError(f"{where}, expected a {kind}, as most others are")
    whole = text.cast(pl.Int64, strict=False)  # beyond 2⁵³ fractions lose digits
    return times if kind != "number" or whole.null_count() else whole


def _clock_times(text: pl.Series) -> pl.Series:
    """Times of day and dates, in UTC; null where there is neither."""
    clock = text.str.replace("T", " ")
    local = clock.str.replace(OFFSET, "$1")
    first, *others = (local.str.to_datetime(form, strict=False) for form in TIME_FORMATS)
    for other in others:
        first = first.zip_with(first.is_not_null(), other)
    return first - _minutes_ahead(clock)


def _minutes_ahead(clock: pl.Series) -> pl.Series:
    """How far times are ahead of UTC, as durations; none where they do not say."""
    sign, hours, minutes = (clock.str.extract(OFFSET, group) for group in (2, 3, 4))
    total = hours.cast(pl.Int64).fill_null(0) * 60 + minutes.cast(pl.Int64).fill_null(0)
    west = (sign == "-").fill_null(value=False).cast(pl.Int64)
    return (total * (1 - 2 * west) * 60_000_000).cast(pl.Duration("us"))
