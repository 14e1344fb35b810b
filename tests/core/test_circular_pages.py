"""What an audit reads off a page: by meaning, from the page's own part, and never from what says that it is missing."""

from __future__ import annotations

import pytest

from tests.circular.pages import Page, links_below, plain

HTML = """<!doctype html><html lang="vi"><head><title>x</title>
<meta name="DC.title" content="Tin"><meta name="DC.creator" content=" "><meta property="og:title" content="T"></head>
<body><nav><a href="/menu/">Thực đơn</a></nav><main>
<h1>Lãnh đạo</h1>
<table><caption>c</caption><thead><tr><th>Họ và tên</th><th>Điện thoại</th></tr></thead>
<tbody><tr><td>Nguyễn <b>An</b></td><td><i>chưa công bố</i></td></tr>
<tr><td>Đỗ Bình</td><td>0299</td></tr></tbody></table>
<dl><dt>Tác giả:</dt><dd>Lê Đình</dd><dt>Nguồn</dt></dl>
<a href="/tin-tuc/a/#b">Một <i>tin</i></a> <a href="https://khac.test/x">khác</a>
<p class="missing" data-missing="news">Đơn vị chưa công bố</p>
</main></body></html>"""


def page(html: str, status: int = 200) -> Page:
    return Page("https://truong.test/lanh-dao/", status, {}, html.encode(), "GET")


def test_a_table_is_found_by_its_columns_and_blank_cells_stay_blank() -> None:
    rows = page(HTML).table("Điện thoại", "Ho va ten")
    assert rows == [
        {"Điện thoại": "", "Ho va ten": "Nguyễn An"},
        {"Điện thoại": "0299", "Ho va ten": "Đỗ Bình"},
    ]
    assert page(HTML).table("Họ và tên", "Chức vụ") == []


def test_a_row_of_one_heading_and_one_cell_is_a_pair() -> None:
    html = "<main><table><tr><th>Toán</th><td> 8,5 </td></tr><tr><td>x</td><td>y</td></tr></table></main>"
    assert page(html).rows() == {"toan": "8,5"}


def test_links_are_absolute_and_only_the_pages_own() -> None:
    assert page(HTML).links() == [("https://truong.test/tin-tuc/a/", "Một tin"), ("https://khac.test/x", "khác")]


def test_terms_have_their_values_and_one_without_a_value_is_blank() -> None:
    assert page(HTML).terms() == {"tac gia": "Lê Đình", "nguon": ""}


def test_comments_and_what_no_reader_is_shown_are_no_words() -> None:
    unread = "<script>a</script><style>b</style><template>c</template><p hidden>d <b>e</b></p>"
    terms = "<dl><dt>Ba<!-- z --></dt><!-- z --><dd>bốn</dd></dl>"
    html = f"<main><h2>Một</h2><!-- x --><?php y ?>{unread}<p>hai</p>{terms}</main>"
    assert list(page(html).headed("h2")) == [("Một", "hai Babốn")]
    assert page(html).terms() == {"ba": "bốn"}
    assert page(html).words == "mothaibabon"


def test_blank_metadata_is_none() -> None:
    assert page(HTML).metadata("dc.TITLE") == ["Tin"]
    assert page(HTML).metadata("DC.creator") == []
    assert page(HTML).metadata("og:title") == ["T"]


def test_what_a_page_says_is_missing_is_seen() -> None:
    assert page(HTML).missing == ["Đơn vị chưa công bố"]
    assert page(HTML).says("lanh dao")
    assert not page(HTML).says("thuc don")


def test_an_error_page_has_nothing_on_it() -> None:
    for answer in (page(HTML, 404), page("", 200), page(HTML, 0)):
        assert not answer.links()
        assert not answer.missing
        assert not answer.table("Họ và tên")
        assert not answer.metadata("DC.title")


@pytest.mark.parametrize("html", ["<!-- x -->", "<!doctype html>", "<?php x ?>", "  "])
def test_what_no_parser_reads_is_an_empty_page(html: str) -> None:
    assert page(html).good
    assert page(html).words == ""
    assert not page(html).links()


def test_a_page_is_read_as_utf_8_whatever_it_says_of_itself() -> None:
    declared = '<?xml version="1.0" encoding="iso-8859-1"?><html><head><meta charset="latin1"></head><main>Mơ</main>'
    assert page(declared).main.text_content() == "Mơ"
    assert page("<main>Mơ</main>").main.text_content() == "Mơ"


def test_what_is_no_address_is_no_link() -> None:
    html = '<main><a href="http://[x/">a</a><a href="/b/">b</a></main>'
    assert page(html).links() == [("https://truong.test/b/", "b")]
    headed = html.replace("<main>", "<main><h2><script>x</script>Tệp</h2><p>") + "<h2>Khác</h2><p><a href=/c/>c</a>"
    assert links_below(page(headed), "tệp") == ["https://truong.test/b/"]


def test_addresses_are_compared_without_fragment_and_as_they_are_asked_for() -> None:
    assert plain("https://a.test/đ ường?q=ă&b=%20#/x") == "https://a.test/%C4%91%20%C6%B0%E1%BB%9Dng?q=%C4%83&b=%20"
    assert plain("https://a.test:8443") == "https://a.test:8443"
    assert plain("mailto:a@b.test") == "mailto:a@b.test"
