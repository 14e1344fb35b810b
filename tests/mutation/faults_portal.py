"""Faults of portals: what Articles 2, 3, 6 to 10, 12 and 16 must turn red for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.mutation.fault import EVERY, GATEWAY, LIVE, Edit, Fault, edited, gone, page, stopped

SCHOOL, DEPARTMENT = "thpt-song-que", "so"
OF_SCHOOL = f"{LIVE}/portal/current/sites/{SCHOOL}"
OF_DEPARTMENT = f"{LIVE}/portal/current/sites/{DEPARTMENT}"
NGINX, SITE = f"{LIVE}/nginx/current/nginx.conf", f"{LIVE}/nginx/current/sites/portal.conf"
RELOAD = "systemctl reload nginx"


def school(red: Collection[str], only: str, **change: Any) -> Fault:
    """On the host of the school, whose pages are judged."""
    return Fault({SCHOOL: red}, only, managed=True, **change)


def department(red: Collection[str], only: str, **change: Any) -> Fault:
    """On the gateway, for the department's pages."""
    return Fault({DEPARTMENT: red}, only, managed=True, at=GATEWAY, **change)


def on_school(path: str, expression: str) -> dict[str, str]:
    return page(f"{OF_SCHOOL}/{path}", expression)


def on_department(path: str, expression: str) -> dict[str, str]:
    return page(f"{OF_DEPARTMENT}/{path}", expression)


def in_items(folder: str, expression: str) -> dict[str, str]:
    """Every page below a folder is edited."""
    return {
        "broken": f"cp -a {folder} /root/mutation.kept && find {folder} -name index.html -exec sed -i '{expression}' {{}} +"
        f" && ! diff -rq {folder} /root/mutation.kept >/dev/null",
        "mended": f"rm -r {folder} && mv /root/mutation.kept {folder}",
    }


def without_form(change: Mapping[str, str]) -> dict[str, str]:
    """And the form for the public does not answer: an address or a form is enough."""
    form = stopped("edumail-feedback.socket", "edumail-feedback.service")
    return {what: f"{change[what]} && {form[what]}" for what in ("broken", "mended")}


OF_PAGES = frozenset({
    "C37-2.1", "C37-3.2", "C37-3.4.4", "C37-4.2.1", "C37-4.2.2", "C37-4.2.3", "C37-6.1", "C37-6.2", "C37-7.3",
    "C37-9.1a.1", "C37-9.1a.2", "C37-9.1b", "C37-9.2", "C37-9.3", "C37-9.4", "C37-9.5", "C37-9.6", "C37-9.7.1",
    "C37-9.7.2", "C37-9.8", "C37-9.9", "C37-9.10.1", "C37-9.10.2", "C37-9.11", "C37-10.2", "C37-10.3", "C37-11.2c",
    "C37-11.3.2", "C37-12.1", "C37-12.2", "C37-12.3", "C37-12.4", "C37-12.5", "C37-12.6", "C37-12.7.1",
    "C37-S39-html", "C37-S39-http", "C37-S39-https", "C37-S39-tls", "C37-S39-utf8",
})  # fmt: skip
"""What is asked of the school's pages. That a port answers is not: it is the gateway's."""

STYLE = f"{LIVE}/portal/current/assets"


def styled(rule: str) -> dict[str, str]:
    """Every style sheet ends with another rule."""
    return {
        "broken": f"cp -a {STYLE} /root/mutation.kept && rm {STYLE}/style-*.css.gz &&"
        f" for file in {STYLE}/style-*.css; do echo '{rule}' >>$file; done",
        "mended": f"rm -r {STYLE} && mv /root/mutation.kept {STYLE}",
    }


OF_SCHOOLS: Mapping[str, Fault] = {
    "another address on the page": school(
        {"C37-4.2.1", "C37-4.2.2", "C37-4.2.3"}, "4_mail", **on_school("index.html", "s/mailto:lienhe@/mailto:khongai@/")
    ),
    "an introduction without history": school(
        {"C37-9.1a.1"}, "9.1a.1", **on_school("gioi-thieu/index.html", "s/<h2>Lịch sử/<h2>Chuyện/")
    ),
    "an introduction without structure": school(
        {"C37-9.1a.1"}, "9.1a.1", **on_school("gioi-thieu/index.html", "s/<h2>Cơ cấu tổ chức/<h2>Chuyện/")
    ),
    "a leader without a telephone": school(
        {"C37-9.1a.2"}, "9.1a.2", **on_school("lanh-dao/index.html", "s#<a href=\"tel:02993245247\">[^<]*</a>##")
    ),
    "a leader under an address of nobody": school(
        {"C37-9.1a.2"}, "9.1a.2", **on_school("lanh-dao/index.html", "s#phuctd@#khongai@#g")
    ),
    "a school that can't be written to": school(
        {"C37-9.1b"}, "9.1b", **without_form(on_school("lien-he/index.html", "s#mailto:lienhe@#mailto:khongai@#g"))
    ),
    "news that are too old": school(
        {"C37-9.2", "C37-6.2", "C37-11.2c"},
        "9.2 or of_what_day or own_limit",
        **in_items(f"{OF_SCHOOL}/tin-tuc", "s#/20[0-9][0-9]</time>#/2020</time>#g"),
    ),
    "no list of news": school(
        {"C37-9.2", "C37-6.2", "C37-11.2c", "C37-12.4", "C37-12.5"},
        "9.2 or of_what_day or own_limit or finds_it or feed",
        **gone(f"{OF_SCHOOL}/tin-tuc/index.html"),
    ),
    "news without their day": school(
        {"C37-6.2", "C37-9.6", "C37-12.6"}, "of_what_day or 9.6 or metadata", **in_items(f"{OF_SCHOOL}/tin-tuc", "/DC.date/d")
    ),
    "a document without its number": school(
        {"C37-9.3"}, "9.3", **on_school("van-ban/index.html", "s#<th scope=\"row\">62/QĐ-THPTSQ#<th scope=\"row\">#")
    ),
    "a document whose file is gone": school({"C37-9.3"}, "9.3", **gone(f"{OF_SCHOOL}/files/quy-che-cong-thong-tin.pdf")),
    "a mark of secrecy": school(
        {"C37-7.2"}, "secrecy", **on_school("van-ban/index.html", "s#Kế hoạch giáo dục#MẬT: Kế hoạch giáo dục#")
    ),
    "an article without its author": school(
        {"C37-7.3"}, "author_and_source", **in_items(f"{OF_SCHOOL}/tin-tuc", "s/Tác giả:/Viết:/")
    ),
    "no way to register for admission": school(
        {"C37-9.4"}, "9.4", **on_school("dich-vu/index.html", "s#https://tuyensinh.ngoai.test/#https://khac.ngoai.test/#")
    ),
    "a service that is not linked": school(
        {"C37-6.1", "C37-2.1"},
        "gathered or one_name",
        **on_school("dich-vu/index.html", "s#https://vanbang.ngoai.test/#https://khac.ngoai.test/#"),
    ),
    "a school's system that is not linked": school(
        {"C37-9.11"}, "9.11", **on_school("dich-vu/index.html", "s#https://truonghoc.ngoai.test/#https://khac.ngoai.test/#")
    ),
    "a consultation without its last day": school(
        {"C37-9.5"}, "9.5", **on_school("lay-y-kien/gio-mo-thu-vien/index.html", "s#<dt>Thời hạn nhận ý kiến#<dt>Khi nào#")
    ),
    "a consultation whose address nobody has": school(
        {"C37-9.5"}, "9.5", **on_school("lay-y-kien/gio-mo-thu-vien/index.html", "s#mailto:lienhe@#mailto:khongai@#")
    ),
    "no sitemap": school({"C37-9.6", "C37-12.6"}, "9.6 or metadata", **gone(f"{OF_SCHOOL}/sitemap.xml")),
    "a page without its publisher": school(
        {"C37-9.6", "C37-12.6"}, "9.6 or metadata", **on_school("gioi-thieu/index.html", "/DC.publisher/d")
    ),
    "a disclosure without finances": school(
        {"C37-9.7.1"}, "9.7.1", **on_school("cong-khai/2025-2026/index.html", "s#<h2>Thu, chi tài chính#<h2>Khác#")
    ),
    "a disclosure without the staff": school(
        (),
        "9.7.1",
        doubtful={SCHOOL: {"C37-9.7.1"}},
        **on_school("cong-khai/2025-2026/index.html", "s#<h3>Đội ngũ#<h3>Khác#"),
    ),
    "a preschool's disclosure without what preschools are asked": Fault(
        {},
        "9.7.1",
        at="mail-so",
        doubtful={"mn-hoa-sen": {"C37-9.7.1"}},
        managed=True,
        **page(
            f"{LIVE}/portal/current/sites/mn-hoa-sen/cong-khai/2025-2026/index.html",
            "s#<h3>Kết quả nuôi dưỡng, chăm sóc, giáo dục#<h3>Kết quả giáo dục#",
        ),
    ),
    "an annual report that is gone": school(
        {"C37-9.7.1"}, "9.7.1", **gone(f"{OF_SCHOOL}/files/bao-cao-thuong-nien-2025.pdf")
    ),
    "a disclosure that came late": school(
        {"C37-9.7.2"}, "9.7.2", **on_school("cong-khai/2025-2026/index.html", "s#>20/06/2026<#>20/07/2026<#")
    ),
    "a school that serves meals without its menus": Fault(
        {"th-suoi-mo": {"C37-9.7.2"}},
        "9.7.2",
        at="mail-xa",
        managed=True,
        on=EVERY,
        edits=(Edit("content/th-suoi-mo/portal.yml", "meals: false", "meals: true"),),
        **gone(f"{LIVE}/portal/current/sites/th-suoi-mo/thuc-don/index.html"),
    ),
    "a year of disclosure that was not kept": school(
        {"C37-9.7.2"}, "9.7.2", **on_school("cong-khai/index.html", "s#/cong-khai/2022-2023/#/khac/2022-2023/#")
    ),
    "an admission without a quota": school(
        {"C37-9.8"},
        "9.8",
        **on_school("tuyen-sinh/tuyen-sinh-lop-10-2026-2027/index.html", "s#<dt>Chỉ tiêu</dt>#<dt>Con số</dt>#"),
    ),
    "a candidate by name": school(
        {"C37-9.8"},
        "9.8",
        **on_school("tuyen-sinh/tuyen-sinh-lop-10-2026-2027/index.html", "s#<li>SQ10008</li>#<li>Nguyễn Văn Thử</li>#"),
    ),
    "a gap in the statistics": school(
        {"C37-9.9"}, "9.9", **on_school("thong-ke/index.html", "s#<th scope=\"row\">2023–2024#<th scope=\"row\">khác#")
    ),
    "a digital resource that leads nowhere": school(
        {"C37-9.10.1"}, "9.10", **gone(f"{OF_SCHOOL}/files/chuyen-de-ham-so-muc-nuoc.pdf")
    ),
    "no way up to the library above": school(
        {"C37-9.10.2"},
        "9.10.2",
        **on_school("hoc-lieu/index.html", "s#https://sogddt.minhha.test/hoc-lieu/#https://khac.ngoai.test/#"),
    ),
    "a section that is switched on and gone": school(
        {"C37-10.2"}, "10.2", **gone(f"{OF_SCHOOL}/hoc-truc-tuyen/index.html")
    ),
    "unions without a page": school({"C37-10.3"}, "10.3", **gone(f"{OF_SCHOOL}/doan-the/index.html")),
    "nobody who answers for the page": school(
        {"C37-3.4.4"}, "answers_for_it", **on_school("index.html", "s#Chịu trách nhiệm nội dung:.*#</p>#")
    ),
    "a way of running that is not said": school(
        {"C37-3.2"}, "is_run", **on_school("lien-he/index.html", "/data-field=\"mode\"/d")
    ),
    "a home page that names another as the right one": school(
        {"C37-2.1"},
        "one_name",
        **on_school("index.html", "s#rel=.canonical. href=.[^>]*#rel=\"canonical\" href=\"https://khac.test/\"#"),
    ),
    "a page that is not for phones": school(
        {"C37-12.2"}, "phones", **on_school("index.html", "s#width=device-width, initial-scale=1##; s#name=\"viewport\"#name=\"x\"#")
    ),
    "pages that are too wide for a phone": school(  # what lies beside the page has no ground to stand out from
        {"C37-12.2"}, "phones", doubtful={SCHOOL: {"C37-12.3"}}, **styled("main{min-width:900px}")
    ),
    "words that are hard to see": school({"C37-12.3"}, "phones", **styled("main p{color:#ccc!important}")),
    "a picture without words": school(
        {"C37-12.3"}, "phones", **on_school("lanh-dao/index.html", "s#</h1>#</h1><img src=\"/favicon.ico\">#")
    ),
    "search that does not answer": Fault(
        {SCHOOL: {"C37-12.4"}}, "finds_it", **stopped("edumail-search.socket", "edumail-search.service")
    ),
    "a feed without the newest article": school(
        {"C37-12.5"},
        "feed",
        **on_school("rss.xml", "0,/<item>/s/<item>/<x>/; 0,/<.item>/s/<.item>/<\\/x>/"),
    ),
    "a feed that is not linked": school({"C37-12.5"}, "feed", **on_school("index.html", "s#application/rss+xml#text/x#")),
    "a page that is no valid HTML": school(
        {"C37-S39-html"}, "valid_html", **on_school("index.html", "s#</main>#</b></p></main>#")
    ),
    "a page without HSTS": school({"C37-S39-https"}, "https", **edited(SITE, "/Strict-Transport/d", RELOAD)),
    "pages in another character set": school(
        {"C37-12.1", "C37-S39-utf8"}, "letters", **edited(NGINX, "s/charset utf-8/charset windows-1258/", RELOAD)
    ),
    "folders that list what is in them": school(
        {"C37-3.4.3"}, "strangers_reach", **edited(SITE, "s#location ^~ /assets/ {#&autoindex on;#", RELOAD)
    ),
    "a web server that is stopped": Fault(
        {SCHOOL: OF_PAGES | {"C37-3.4.1"}, DEPARTMENT: {"C37-3.1c", "C37-10.1.1"}}, "", on=EVERY, **stopped("nginx")
    ),
    "TLS 1.1": school(
        {"C37-S39-tls"},
        "tls",
        **edited(NGINX, "s/ssl_protocols .*/ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;/", RELOAD),
    ),
}  # fmt: skip

OF_MANAGING_BODIES: Mapping[str, Fault] = {
    "a department without its structure": department(
        {"C37-8.1a.1"}, "8.1a.1", **on_department("gioi-thieu/index.html", "s/<h2>Cơ cấu tổ chức/<h2>Chuyện/")
    ),
    "a leader of the department without duties": department(
        {"C37-8.1a.2"}, "8.1a.2", **on_department("lanh-dao/index.html", "s#>Lãnh đạo, điều hành chung[^<]*<#><#")
    ),
    "a department that can't be written to": department(
        {"C37-8.1b"}, "8.1b", **without_form(on_department("lien-he/index.html", "s#mailto:tiepnhan@#mailto:khongai@#g"))
    ),
    "a department without news": department({"C37-8.2"}, "8.2", **gone(f"{OF_DEPARTMENT}/tin-tuc/index.html")),
    "a department's document without its day": department(
        {"C37-8.3"}, "8.3", **on_department("van-ban/index.html", "s#>20/11/2026</time></td>#></time></td>#")
    ),
    "no way to public services": department(
        {"C37-8.4a", "C37-6.1", "C37-2.1"},
        "8.4 or gathered or one_name",
        **on_department("dich-vu/index.html", "s#https://dichvucong.ngoai.test/#https://khac.ngoai.test/#"),
    ),
    "a department's service that is not linked": department(
        {"C37-8.4b", "C37-6.1", "C37-2.1"},
        "8.4 or gathered or one_name",
        **on_department("dich-vu/index.html", "s#https://vanbang.ngoai.test/#https://khac.ngoai.test/#"),
    ),
    "no way to register for an examination": department(
        {"C37-8.4b", "C37-8.4c.2", "C37-6.1", "C37-2.1"},
        "8.4 or gathered or one_name",
        **on_department("dich-vu/index.html", "s#https://tuyensinh.ngoai.test/#https://khac.ngoai.test/#g"),
    ),
    "answers without a page": Fault(
        {"vhxh-suoi-mo": {"C37-10.5"}},
        "10.5",
        at="mail-xa",
        managed=True,
        **gone(f"{LIVE}/portal/current/sites/vhxh-suoi-mo/giai-dap/index.html"),
    ),
    "a procedure without its fees": department(
        {"C37-8.4c.1"},
        "8.4c",
        **on_department("thu-tuc/cap-ban-sao-van-bang-tu-so-goc/index.html", "s#<dt>Phí, lệ phí#<dt>Khác#"),
    ),
    "law that nobody explains": department({"C37-8.5"}, "8.5", **gone(f"{OF_DEPARTMENT}/phap-luat/index.html")),
    "a department's consultation without an address": department(
        {"C37-8.6"},
        "8.6",
        **on_department("lay-y-kien/du-thao-quy-dinh-day-them/index.html", "s#<dt>Địa chỉ nhận ý kiến#<dt>Nơi#"),
    ),
    "a department without metadata": department(
        {"C37-8.7", "C37-12.6"}, "8.7 or metadata", **on_department("index.html", "/DC.creator/d")
    ),
    "a yearbook that misses a year": department(
        {"C37-8.8"}, "8.8", **on_department("thong-ke/index.html", "s#<th scope=\"row\">2024–2025#<th scope=\"row\">khác#")
    ),
    "a department's resource that is gone": department(
        {"C37-8.9.1"}, "8.9", **gone(f"{OF_DEPARTMENT}/files/tai-lieu-giao-duc-dia-phuong.pdf")
    ),
    "no link to the Ministry's library": department(
        {"C37-8.9.2"}, "8.9.2", **on_department("hoc-lieu/index.html", "s#https://thuvien.bo.ngoai.test/\"#https://khac.ngoai.test/\"#")
    ),
    "an office that links to the department's library alone": Fault(
        {"vhxh-suoi-mo": {"C37-8.9.2"}},
        "8.9.2",
        at="mail-xa",
        managed=True,
        **page(
            f"{LIVE}/portal/current/sites/vhxh-suoi-mo/hoc-lieu/index.html",
            "s#https://thuvien.bo.ngoai.test/\"#https://sogddt.minhha.test/hoc-lieu/\"#",
        ),
    ),
    "accreditation without a page": department({"C37-8.10"}, "8.10", **gone(f"{OF_DEPARTMENT}/kiem-dinh/index.html")),
    "no look-up of diplomas": department(
        {"C37-8.12"}, "8.12", **on_department("van-bang/index.html", "s#https://vanbang.ngoai.test/#https://khac.ngoai.test/#")
    ),
    "projects without a page": department({"C37-8.13"}, "8.13", **gone(f"{OF_DEPARTMENT}/du-an/index.html")),
    "no link to the web conference": department(
        {"C37-8.14"},
        "8.14",
        **on_department("dich-vu/index.html", "s#https://hoinghi.bo.ngoai.test/#https://khac.ngoai.test/#"),
    ),
    "English pages without services": department(
        {"C37-8.15"}, "8.15", **on_department("en/index.html", "s#<h2 id=\"services\">Services#<h2 id=\"services\">Other#")
    ),
    "no list of centres": department({"C37-8.16"}, "8.16", **gone(f"{OF_DEPARTMENT}/trung-tam/index.html")),
    "a ranking that leaves a school out": department(
        {"C37-16.4"}, "16.4", **on_department("xep-hang/index.html", "s#<th scope=\"row\">Trường THCS Suối Mơ</th>#<th scope=\"row\">Trường khác</th>#")
    ),
    "an office without its ranking": Fault(
        {"vhxh-suoi-mo": {"C37-16.5"}},
        "16.5",
        at="mail-xa",
        managed=True,
        **gone(f"{LIVE}/portal/current/sites/vhxh-suoi-mo/xep-hang/index.html"),
    ),
    "a school that the department does not link to": department(
        {"C37-10.1.1"},
        "department_links",
        **on_department("lien-ket/index.html", "s#https://www.thptsongque.test/#https://khac.ngoai.test/#"),
    ),
    "press statements without a page": department({"C37-10.4"}, "10.4", **gone(f"{OF_DEPARTMENT}/bao-chi/index.html")),
    "scholarships without a page": department(
        {"C37-10.6"}, "10.6", **gone(f"{OF_DEPARTMENT}/hoc-bong-huong-nghiep/index.html")
    ),
    "polls without a page": department({"C37-10.7"}, "10.7", **gone(f"{OF_DEPARTMENT}/tham-do/index.html")),
    "look-up of marks that does not answer": Fault(
        {DEPARTMENT: {"C37-8.11", "C37-12.4"}, "mn-hoa-sen": {"C37-12.4"}},
        "8.11 or 8.12 or finds_it",
        at=GATEWAY,
        on=EVERY,
        **stopped("edumail-search.socket", "edumail-search.service"),
    ),
    "a school's portal without the school's name": Fault(
        {DEPARTMENT: {"C37-3.1c"}, SCHOOL: {"C37-12.1"}},
        "every_school_below or department_links or vietnamese_letters or one_name",
        on=EVERY,
        managed=True,
        **on_school("index.html", "s#Trường THPT Sông Quế#Trường khác#g"),
    ),
    "an office that does not link up": Fault(
        {"vhxh-suoi-mo": {"C37-10.1.2"}},
        "office_links",
        at="mail-xa",
        managed=True,
        **page(
            f"{LIVE}/portal/current/sites/vhxh-suoi-mo/lien-ket/index.html",
            "s#https://sogddt.minhha.test/#https://khac.ngoai.test/#g",
        ),
    ),
}  # fmt: skip

FAULTS: Mapping[str, Fault] = {**OF_SCHOOLS, **OF_MANAGING_BODIES}
