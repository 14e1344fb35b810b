"""Other people's web sites on `internet`: what the portals' links lead to. HTTPS, by an authority of their own."""

from __future__ import annotations

from lab import ssh, state
from lab.topology import FOREIGN_DOMAIN, INTERNET

NAMES = ("www", "bo", "thuvien.bo", "hoinghi.bo", "dichvucong", "tuyensinh", "vanbang", "truonghoc")
"""Below the foreign domain: a newspaper, the Ministry with its library and its conferences, the portal of public
services, one for admission, one for diplomas, a school-management system."""
AUTHORITY = state.ROOT / "outside.pem"
"""The certificate of the outside's authority: for whoever is to trust these sites (``SSL_CERT_FILE``)."""

_FILE = "/etc/foreign/web"
# Every name and path has a page; the school-management system asks who one is.
_SERVER = f"""\
import http.server, socket, ssl

LOGIN = (
    "<form method=post><label>Tên <input name=u></label>"
    "<label>Mật khẩu <input type=password name=p></label></form>"
)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.headers.get("Host", "").partition(":")[0]
        inner = LOGIN if name.startswith("truonghoc.") else "<p>Trang thử nghiệm.</p>"
        head = f"<!doctype html><html lang=vi><meta charset=utf-8><title>{{name}}</title>"
        page = f"{{head}}<h1>{{name}}</h1>{{inner}}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(page)

    do_HEAD = do_GET

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def finish_request(self, request, client):
        request.settimeout(20)
        super().finish_request(context.wrap_socket(request, server_side=True), client)

    def handle_error(self, request, client):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("{_FILE}.crt", "{_FILE}.key")
Server(("::", 443), Page).serve_forever()
"""
_UNIT = f"""\
[Unit]
Description=Web sites of the outside world
After=network.target
[Service]
ExecStartPre=/bin/sh -ec 'test -s {_FILE}.crt || {_FILE}-certificates'
ExecStart=/usr/bin/python3 {_FILE}.py
[Install]
WantedBy=multi-user.target
"""
_CERTIFICATES = f"""\
#!/bin/sh -e
cd /etc/foreign
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650"
$new -subj "/CN=Outside authority of the lab" -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.crt
$new -CA ca.crt -CAkey ca.key -subj "/CN=www.{FOREIGN_DOMAIN}" -addext basicConstraints=critical,CA:FALSE \\
    -addext "subjectAltName=NAMES" -keyout web.key -out web.crt.new
mv web.crt.new web.crt
""".replace("NAMES", ",".join(f"DNS:{name}.{FOREIGN_DOMAIN}" for name in NAMES))

FILES = {
    "etc/foreign/web.py": _SERVER,
    "etc/foreign/web-certificates": _CERTIFICATES,
    "etc/systemd/system/foreign-web.service": _UNIT,
}
RECORDS = "".join(f"{name} A {INTERNET.ipv4}\n{name} AAAA {INTERNET.ipv6}\n" for name in NAMES)
"""Their lines in the foreign zone."""


def start() -> None:
    """Serve them, and keep their authority's certificate where users of the lab find it."""
    script = (
        "chmod 755 /etc/foreign/web-certificates; systemctl -q enable --now foreign-web; for try in $(seq 50); do"
        " test -s /etc/foreign/web.crt && exec cat /etc/foreign/ca.crt; sleep 0.1; done; exit 1"
    )
    AUTHORITY.write_bytes(ssh.call(INTERNET.name, script))
    state.hand_over(AUTHORITY)
