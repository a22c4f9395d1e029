"""Servers of databases for tests: private ones on a socket, as a user without rights."""

import contextlib
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest


def _binary(name, *folders):
    """Return the path of a program; None where it is not installed."""
    places = [path for folder in folders for path in sorted(Path("/").glob(folder))]
    return shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ["PATH"]]))


def _user():
    """Return the user as whom a server runs: servers refuse root."""
    if os.getuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _folder():
    """Return a new folder that belongs to that user, with a short name for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="wb-", dir="/tmp"))
    if owner := _user():
        os.chown(folder, owner["user"], owner["group"])
    return folder


@contextlib.contextmanager
def postgresql():
    """Start PostgreSQL; yield the folder of its socket."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    server = _binary("postgres", "usr/lib/postgresql/*/bin")
    if server is None:
        pytest.skip("PostgreSQL is not installed")
    folder = _folder()
    run = functools.partial(subprocess.run, check=True, capture_output=True, cwd="/", **_user())
    own = Path(server).resolve().parent
    data, password = folder / "data", folder / "password"
    password.write_text("first")
    password.chmod(0o644)
    run([own / "initdb", "-D", data, "-U", "boss", "-A", "scram-sha-256", "--no-sync",
         "--pwfile", password, "-E", "UTF8", "--locale", "C"])  # fmt: skip
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = [own / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    run([*control, "-o", options, "start"])
    try:
        yield folder
    finally:
        run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder)


@contextlib.contextmanager
def mariadb():
    """Start MariaDB; yield the folder of its socket."""
    pytest.importorskip("pymysql", reason="PyMySQL is not installed")
    server = _binary("mariadbd", "usr/sbin")
    if server is None:
        pytest.skip("MariaDB is not installed")
    folder = _folder()
    socket, user = folder / "socket", _user()
    run = functools.partial(subprocess.run, check=True, capture_output=True, cwd="/", **user)
    own = ["--no-defaults", f"--datadir={folder / 'data'}"]
    run(["mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db"])
    settings = ["--skip-networking", f"--socket={socket}", f"--pid-file={folder / 'pid'}",
                "--innodb-flush-log-at-trx-commit=0"]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [server, *own, *settings], stderr=log, stdout=log, cwd="/", **user
        )
    try:
        for _ in range(600):
            if socket.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        yield folder
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)
