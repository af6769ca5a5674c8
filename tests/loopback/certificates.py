"""Certificates for tests, by openssl: an authority, and what it signs for 127.0.0.1 and localhost."""

import subprocess

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(folder, *arguments):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


def make_authority(folder, name):
    openssl(folder, "req", "-x509", *CURVE, "-days", 2, "-subj", f"/CN={name}", "-keyout",
            f"{name}.key", "-out", f"{name}.crt")


def make_certificate(folder, name, authority, new=CURVE, days=2, address="127.0.0.1"):
    """name.crt and name.key, signed by the authority."""
    openssl(folder, "req", *new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
            f"{name}.csr")
    (folder / "names").write_text(f"subjectAltName=IP:{address},DNS:localhost\n")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey",
            f"{authority}.key", "-CAcreateserial", "-days", days, "-extfile", "names", "-out",
            f"{name}.crt")


def make_ended(folder, name, authority):
    """One whose time is over."""
    make_certificate(folder, name, authority)
    (folder / "index").write_text("")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\n"
        "default_md=sha256\npolicy=p\nunique_subject=no\nemail_in_dn=no\n[p]\ncommonName=supplied\n")
    openssl(folder, "ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-cert",
            f"{authority}.crt", "-keyfile", f"{authority}.key", "-extfile", "names", "-startdate",
            "20200101000000Z", "-enddate", "20210101000000Z", "-notext", "-out", f"{name}.crt")
