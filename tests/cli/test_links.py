"""A results folder from elsewhere leads nowhere: links in it are refused or replaced, never followed."""

import shutil

import altair as alt
import pytest
from click.testing import CliRunner
from samples import make_findings, tiny

from winit.cli import main
from winit.findings.drawing import Figure, save
from winit.sweep.layout import Results

STEPS = {
    "plan": ["--write", "--config"],
    "sweep": ["--threads", "1", "--config"],
    "train": ["--threads", "1", "--config"],
    "collect": ["--config"],
    "theory": ["--config"],
    "summarize": ["--results"],
    "claims": ["--results"],
    "plot": ["--results"],
    "report": ["--results"],
    "status": ["--config"],
}
GRID = {"initializer": ["he_normal"], "activation": "relu", "depth": 1, "width": 8, "seed": 0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_findings(folder, tiny(**GRID))
    return folder


@pytest.fixture
def results(made, tmp_path):
    """A copy of the results, and beside it what nobody may touch."""
    folder = shutil.copytree(made, tmp_path / "results")
    config = (folder / "config.yaml").read_text().replace("results: results", f"results: {folder}")
    (folder / "config.yaml").write_text(config.partition("\n")[2])  # the first line says that it is as it was
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/file").write_text("theirs")
    return Results(folder)


def folders_of(results):
    """Every folder that the layout knows."""
    names = [name for name, value in vars(Results).items() if isinstance(value, property)]
    found = [getattr(of, name) for of in (results, results.training_sweep) for name in names]
    paths = [path.folder if isinstance(path, Results) else path for path in found]
    return [path for path in dict.fromkeys(paths) if not path.suffix and "training/training" not in str(path)]


def run(step, results):
    *options, kind = STEPS[step]
    where = results.folder / "config.yaml" if kind == "--config" else results.folder
    return CliRunner().invoke(main, [step, *options, kind, str(where)])


def place(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


def content(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_that_is_a_link_is_refused_in_a_line_with_the_mend(results, tmp_path):
    theirs = tmp_path / "theirs"
    before = content(theirs)
    folders = [*folders_of(results), results.parts / "set-aside"]
    assert len(folders) > 14
    for path in folders:
        kept = path.rename(tmp_path / "kept") if path.exists() else None
        place(path, theirs)
        for step in STEPS:
            refused = run(step, results)
            assert refused.exit_code == 1
            assert refused.stderr == (
                f"winit: {path} is a symbolic link to {theirs}, and what winit writes stays in the results"
                f" folder; remove the link (rm {path}), or make the whole results folder one\n"
            )
        assert content(theirs) == before
        path.unlink()
        if kept:
            kept.rename(path)


def identities(folder):
    return {path: path.lstat().st_ino for path in folder.rglob("*") if path.is_file()}


# Not sweep and train, which start a cluster: what they write goes through the store and the manifests.
@pytest.mark.parametrize("step", ["plan", "collect", "theory", "summarize", "claims", "report"])
def test_no_step_writes_where_a_link_leads(step, results, tmp_path):
    before = identities(results.folder)
    ran = run(step, results)
    assert ran.exit_code == 0, ran.output
    written = [path for path, identity in identities(results.folder).items() if before.get(path) != identity]
    # What is read first is the user's own: a config may lie wherever a link leads.
    written = [path for path in written if path.parent != results.locks and path != results.config]
    assert written
    for path in written:
        place(path, tmp_path / "theirs/file")
    ran = run(step, results)
    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "theirs/file").read_text() == "theirs"
    assert not [path for path in written if path.is_symlink()]


def test_a_lock_that_is_a_link_is_refused(results, tmp_path):
    place(results.lock("collect"), tmp_path / "theirs/file")
    refused = run("collect", results)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"winit: {results.lock('collect')} is a symbolic link to ")
    assert (tmp_path / "theirs/file").read_text() == "theirs"


def test_the_results_folder_itself_may_be_a_link(results, tmp_path):
    (tmp_path / "scratch").symlink_to(results.folder)
    ran = CliRunner().invoke(main, ["summarize", "--results", str(tmp_path / "scratch")])
    assert ran.exit_code == 0, ran.output


def test_a_figure_that_is_a_link_is_replaced(results, tmp_path):
    results.figures.mkdir()
    for ending in ("svg", "png"):
        place(results.figures / f"dots.{ending}", tmp_path / "theirs/file")
    dots = alt.Chart(alt.Data(values=[{"n": 1}])).mark_point().encode(x="n:Q")
    save([Figure("dots", "Dots", "A dot.", dots)], results)
    assert (tmp_path / "theirs/file").read_text() == "theirs"
    assert (results.figures / "dots.svg").read_text().startswith("<svg")
    assert (results.figures / "dots.png").read_bytes().startswith(b"\x89PNG")
