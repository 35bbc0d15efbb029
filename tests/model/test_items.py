"""Item tables: typed columns, pictures beside the table, alignment, and refusals."""

import pytest

from macrid.artifacts.catalogue import Column, Picture
from macrid.model.errors import DataError
from macrid.model.items import read_items, untitled

ABC = ("a", "b", "c")

TABLE = "item,title,kind,year,price,image\na,Apple,fruit|red,2001,1.5,https://example.org/a.png\nb,,root,,2,b.svg\nc,Corn,,1999,,\n"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "b.svg").write_text("<svg/>")
    path = tmp_path / "items.csv"
    path.write_text(TABLE)
    return path


class TestReading:
    def test_columns_are_typed_by_what_they_hold(self, table):
        assert read_items(table, ABC).columns == (
            Column("kind", "text"),
            Column("year", "integer"),
            Column("price", "real"),
        )

    def test_values_stay_with_their_item_and_empty_ones_are_none(self, table):
        assert read_items(table, ABC).rows == (("fruit|red", 2001, 1.5), ("root", None, 2.0), (None, 1999, None))

    def test_an_item_without_title_goes_by_its_id(self, table):
        assert read_items(table, ABC).titles == ("Apple", "b", "Corn")

    def test_an_address_stays_an_address_and_a_file_becomes_a_carried_picture(self, table):
        items = read_items(table, ABC)
        assert items.images == ("https://example.org/a.png", None, None)
        assert items.pictures == {1: Picture("image/svg+xml", b"<svg/>")}

    def test_aligned_rows_follow_the_ids_asked_for_and_unknown_ones_are_blank(self, table):
        items = read_items(table, ["new", "b"])
        assert items.titles == ("new", "b")
        assert items.rows == ((None, None, None), ("root", None, 2.0))
        assert list(items.pictures) == [1]

    def test_a_table_of_ids_alone_is_enough(self, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("item_id\nx\ny\n")
        assert read_items(path, ("x", "y")) == untitled(["x", "y"])

    def test_digits_that_are_no_number_stay_text(self, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("item,zip,ean\nx,00123,99999999999999999999\n")
        assert read_items(path, ["x"]).rows == (("00123", "99999999999999999999"),)

    def test_rows_of_other_items_and_their_pictures_are_left_aside(self, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("item,image\nx,HTTPS://example.org/x.png\ny,gone.png\n")
        assert read_items(path, ["x"]).images == ("https://example.org/x.png",)

    def test_the_id_column_may_be_called_as_in_the_clicks(self, tmp_path):
        path = tmp_path / "items.csv"
        path.write_text("sku,title\nx,X\n")
        assert read_items(path, ["x"], item_column="sku").titles == ("X",)


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name\nx\n", "no item column"),
            ("item\nx\nx\n", "'x' stands in more than one row"),
            ('item,title\nx,X\n"",Y\n', "data row 2: the item id is empty"),
            ("item,image\nx,x.gif\n", "neither an http"),
            ("item,image\nx,gone.png\n", "no picture file"),
            ("item,title\ny,Y\n", "describes none of the 1 items; its ids look like 'y', those of the clicks like 'x'"),
            ("item,title\n", "no item below"),
        ],
    )
    def test_the_message_says_what_is_wrong_and_where(self, tmp_path, text, message):
        path = tmp_path / "items.csv"
        path.write_text(text)
        with pytest.raises(DataError, match=message) as refused:
            read_items(path, ("x",))
        assert str(path) in str(refused.value)

    def test_a_picture_that_is_too_large_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("macrid.model.items.MAX_PICTURE_BYTES", 3)
        (tmp_path / "x.png").write_bytes(b"1234")
        (tmp_path / "items.csv").write_text("item,image\nx,x.png\n")
        with pytest.raises(DataError, match="has 4 bytes; at most 3"):
            read_items(tmp_path / "items.csv", ("x",))
