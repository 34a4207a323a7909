#!/usr/bin/env python3
"""Debian's package, made by cpack from the build folder of the program under test: lintian finds
nothing in it, it holds what it should and nothing else, and its manual page is clean."""

import gzip
import pathlib
import re
import subprocess
import tempfile

from ringchurn_testing import RINGCHURN, SOURCE, Failures, fail, require_programs, skip

DOC = "usr/share/doc/ringchurn/"


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def make_package(folder):
    """Makes it in `folder`, and what comes of unpacking it."""
    config = pathlib.Path(RINGCHURN).parent / "CPackConfig.cmake"
    if not config.exists():
        skip(f"{config.parent} is no build folder")
    done = run("cpack", "-G", "DEB", "-B", folder / "made", "--config", config, cwd=config.parent)
    packages = list((folder / "made").glob("*.deb"))
    if done.returncode != 0 or len(packages) != 1:
        fail(f"cpack: {packages}\n{done.stdout}{done.stderr}")
    root = folder / "root"
    subprocess.run(["dpkg-deb", "-x", packages[0], root], check=True)
    return packages[0], root


def check_lintian(failures, package):
    done = run("lintian", "--allow-root", "--no-cfg", "--fail-on", "error,warning", "--info",
               package)
    failures.equal((done.returncode, done.stderr), (0, ""), f"lintian:\n{done.stdout}")


def check_control(failures, package):
    control = run("dpkg-deb", "-f", package).stdout
    for line in (r"Package: ringchurn", r"Version: [\d.]+-0local1", r"Section: net",
                 r"Maintainer: .+ <.+@.+>", r"Depends: .*libc6 .*liburing2 .*"):
        failures.check(re.search(f"^{line}$", control, re.M), f"no '{line}' in\n{control}")
    failures.equal(run("dpkg-deb", "-I", package, "postinst").returncode, 2,
                   "exit code where a script of the maintainer is looked for")


def expected_files():
    """Everything that the package holds, folders left out."""
    files = {"usr/bin/ringchurn", "usr/share/man/man1/ringchurn.1.gz",
             "usr/share/bash-completion/completions/ringchurn",
             "usr/share/zsh/vendor-completions/_ringchurn",
             "usr/share/fish/vendor_completions.d/ringchurn.fish",
             "usr/share/lintian/overrides/ringchurn"}
    files |= {DOC + name for name in ("README.md", "SECURITY.md", "copyright", "changelog.gz",
                                      "changelog.Debian.gz",
                                      "workloads/README.md", "workloads/claims.toml")}
    for pattern in ("bench/**/*.md", "bench/*.schema.json", "workloads/scenarios/**/*.*"):
        files |= {DOC + str(path.relative_to(SOURCE)) for path in SOURCE.glob(pattern)}
    scripts = SOURCE / "scripts"
    for example in (scripts / "README.md", scripts / "report", scripts / "shared.py",
                    *scripts.glob("ci/**/*"), *scripts.glob("report_parts/**/*")):
        if example.is_file() and "__pycache__" not in example.parts:
            files.add(f"{DOC}examples/{example.relative_to(scripts)}")
    return files


def check_files(failures, root):
    held = {str(path.relative_to(root)) for path in root.glob("**/*") if not path.is_dir()}
    failures.equal(sorted(expected_files() - held), [], "what the package lacks")
    failures.equal(sorted(held - expected_files()), [], "what nobody asked for in the package")
    program = root / "usr/bin/ringchurn"
    failures.check("not stripped" not in run("file", program).stdout, "the program is not stripped")
    failures.equal(run(program, "--version").stdout, run(RINGCHURN, "--version").stdout,
                   "--version of the packaged program")
    report = run(root / DOC / "examples/report", "--help")
    failures.equal((report.returncode, report.stderr), (0, ""), "the packaged report's --help")


def check_links(failures, root):
    """Each link of the documents leads to a file, unless to one of the source's alone."""
    for page in (root / DOC).glob("**/*.md"):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)[)#]", text):
            failures.check(link.endswith((".h", ".xsd")) or (page.parent / link).exists(),
                           f"{page.relative_to(root)}: link {link}")


def check_manual(failures, root):
    page = gzip.decompress((root / "usr/share/man/man1/ringchurn.1.gz").read_bytes()).decode()
    failures.equal(page, run(RINGCHURN, "man").stdout, "the page in the package")
    linted = run("mandoc", "-T", "lint", "-W", "warning", input=page)
    failures.equal((linted.returncode, linted.stdout), (0, ""), "mandoc's warnings")
    shown = run("man", "--warnings", "-l", "-", input=page,
                env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANWIDTH": "80"})
    failures.equal((shown.returncode, shown.stderr), (0, ""), "man's warnings")
    failures.check("--concurrency N" in shown.stdout, "the page does not show --concurrency N")


def main():
    require_programs({"cpack": "cmake", "dpkg-shlibdeps": "dpkg-dev", "lintian": "lintian",
                      "mandoc": "mandoc", "man": "man-db", "file": "file"})
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        package, root = make_package(pathlib.Path(folder))
        check_lintian(failures, package)
        check_control(failures, package)
        check_files(failures, root)
        check_links(failures, root)
        check_manual(failures, root)
    failures.finish("Debian's package is complete and clean")


main()
