"""The steps of motif discovery on files, as their command lines run them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from motif_discovery import cluster, discover, files, match, report, sample, settings
from tests.toy import pair_model, seeded_model, word_model
from utils import neuron_motif, tomtom
from utils.checkpoint import save_checkpoint
from utils.runtime import ROOT, InputError

FAST = {"sampler": "genetic", "population": 120, "generations": 12, "patience": 5}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Results go to a folder of their own; returns a function that makes the config of a model."""
    monkeypatch.setattr(settings, "HERE", tmp_path / "results")

    def config(model, **more):
        save_checkpoint(tmp_path / "toy.pth", model, {})
        described = {"name": "toy", "checkpoint": str(tmp_path / "toy.pth"), "dataset": "none.h5"}
        (tmp_path / "model.yaml").write_text(yaml.safe_dump(described))
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"model": str(tmp_path / "model.yaml"), **FAST, **more}))
        return path

    return config


def opened(path, layer, **more):
    overrides = [f"{key}={value}" for key, value in more.items()]
    return settings.open_discovery(settings.load_settings(settings.DiscoverySettings, path, overrides), layer)


def run_all(discovery, neurons, **more):
    for step in (sample, cluster, match, report):
        step.run(discovery, neurons, quiet=True, **more)


def test_a_word_goes_all_the_way_to_its_page(workplace):
    """A first layer that is a word gives that word back as its motif, in every file."""
    discovery = opened(workplace(word_model(["UGUAU", "GGACC"]), population=1000, generations=60), 1)
    run_all(discovery, [1, 2])
    for neuron, word in ((1, "UGUAU"), (2, "GGACC")):
        stored = files.read_sample(discovery.sample_path(neuron))
        assert stored.maximum == stored.activation[0] == 5
        assert "".join("ACGU"[base] for base in stored.sequence[0]) == word
        parts, activation, maximum, _ = files.read_motifs(discovery.motif_path(neuron))
        best = max(parts, key=lambda part: part.consensus_activation)
        assert "".join("ACGU"[base] for base in best.pfm.argmax(axis=0)) == word
        assert best.consensus_activation == maximum == activation.max() == 5
        page = discovery.report_path(neuron).read_text()
        assert all(part.path in page for part in parts)
    index = discovery.report_path().read_text()
    assert "conv1_neuron1.html" in index
    assert "conv1_neuron2.html" in index


def test_a_motif_file_says_what_it_was_made_with(workplace):
    """For reports, also of a neuron without parts; the keys, which decide what is made anew, are what they were."""
    path = workplace(word_model(["UGUAU", "GGACC"]), seed=7, demixing="fixed", weight_power=0)
    discovery = opened(path, 1, clusters=8)
    sample.run(discovery, [1], quiet=True)
    cluster.run(discovery, [1], quiet=True)
    match.run(discovery, [1], quiet=True)
    made = {"checkpoint_sha256": discovery.checkpoint.sha256, "sampler": "genetic", "quota": 200, "seed": 7,
            "demixing": "fixed", "clusters": "8", "fit_samples": 1000, "weight_power": 0.0, **FAST}  # fmt: skip
    assert neuron_motif.made_with(discovery.motif_path(1)) == made
    assert set(made) | {"demixing_samples"} == set(neuron_motif.MADE_WITH)
    assert tomtom.listed_up_to(discovery.match_path(1)) == 0.01
    path = discovery.motif_path(1)
    network, other = discovery.network, "motif of other weights: run motif_discovery again"
    assert neuron_motif.neuron_motif(path, network, 1, 1, "other").note == other
    assert neuron_motif.neuron_motif(path, network, 1, 1, discovery.checkpoint.sha256).note != other
    files.write_motifs(path, "x", [], files.Sample(np.zeros((0, 5)), np.zeros(0), 0.0), 5, "key")
    assert neuron_motif.made_with(path) == {}
    assert neuron_motif.neuron_motif(path, network, 1, 1, "other").note == "motif_discovery found no motif"


def test_a_pair_matches_its_own_words_in_the_database(workplace, tmp_path):
    from utils.motif import Motif, write_meme
    from utils.sequence import iupac_ppm

    random = np.random.default_rng(0)
    decoys = ["".join("ACGU"[base] for base in random.integers(4, size=9)) for _ in range(59)]
    words = ["UGUACGGAC", *decoys]
    write_meme(tmp_path / "db.meme", [Motif(word, "", iupac_ppm(word)) for word in dict.fromkeys(words)])
    model = pair_model([("UGUAC", "CGGAC")])
    model.ln_layers[0].ln.bias.fill_(-2)  # graded: a word with 5, 4 or 3 matches gives 3, 2 or 1
    model.conv_layers[0].bias.fill_(-3)
    config = workplace(
        model, population=1000, generations=150, patience=50,
        motif_database=str(tmp_path / "db.meme"),
    )  # fmt: skip
    discovery = opened(config, 2)
    run_all(discovery, [1])
    table = files.read_matches(discovery.match_path(1)).sort_values("q-value")
    assert table["Target_ID"].iloc[0] == "UGUACGGAC"
    assert table["q-value"].iloc[0] < 0.01
    assert (table["Orientation"] == "+").all()
    assert np.allclose(table["E-value"], table["p-value"] * len(discovery.database), rtol=1e-4)


def test_a_neuron_that_never_fires_says_so(workplace):
    """Row 5 of the traps: no crash and no motif, and the neurons beside it are as they are."""
    discovery = opened(workplace(word_model(["UGUAU"])), 1)
    run_all(discovery, [1, 9])
    assert files.read_motifs(discovery.motif_path(9))[0] == []
    assert len(files.read_matches(discovery.match_path(9))) == 0
    assert "never fires" in discovery.report_path(9).read_text()
    assert "never fires" not in discovery.report_path(1).read_text()


def test_a_finished_neuron_is_not_computed_again(workplace, monkeypatch):
    config = workplace(seeded_model(2, 4))
    discovery = opened(config, 3)
    run_all(discovery, [1, 2])
    before = {path: path.stat().st_mtime_ns for path in settings.HERE.rglob("*.*") if "index" not in path.name}
    run_all(discovery, [1, 2])
    assert before == {path: path.stat().st_mtime_ns for path in before}

    stale = discovery.sample_path(2)
    stale.write_bytes(stale.read_bytes()[:100])  # cut short: it is made again
    run_all(discovery, [1, 2])
    assert files.read_sample(stale).maximum > 0
    assert discovery.sample_path(1).stat().st_mtime_ns == before[discovery.sample_path(1)]

    changed = opened(config, 3, seed=5)
    assert files.unfinished([1, 2], changed.sample_path, changed.sample_key, overwrite=False) == [1, 2]
    with pytest.raises(InputError, match="made with other settings"):
        cluster.run(changed, [1], quiet=True)
    rematched = opened(config, 3, q_threshold=0.5)
    assert rematched.motif_key == discovery.motif_key
    assert rematched.match_key != discovery.match_key


def test_a_stop_in_between_loses_nothing_finished(workplace, monkeypatch):
    config = workplace(seeded_model(2, 4), neurons_at_once=1)
    discovery = opened(config, 3)
    write, written = sample.write_sample, []

    def stop_at_third(path, *more):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, *more)

    monkeypatch.setattr(sample, "write_sample", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        sample.run(discovery, [1, 2, 3, 4], quiet=True)
    monkeypatch.setattr(sample, "write_sample", write)
    first = [path.read_bytes() for path in written]
    sample.run(discovery, [1, 2, 3, 4], quiet=True)
    assert [path.read_bytes() for path in written] == first
    undisturbed = opened(config, 3)
    kept = [files.read_sample(discovery.sample_path(neuron)) for neuron in (1, 2, 3, 4)]
    sample.run(undisturbed, [1, 2, 3, 4], overwrite=True, quiet=True)
    for neuron, one in zip((1, 2, 3, 4), kept, strict=True):
        assert np.array_equal(files.read_sample(discovery.sample_path(neuron)).sequence, one.sequence)
    assert not list(settings.HERE.rglob(".part-*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--layer", "conv9"], "conv1 to conv3"),
        (["--layer", "five"], "not a layer"),
        (["--layer", "conv2", "--neurons", "60-70"], "outside 1 to 64"),
        (["--layer", "conv2", "populaton=3"], "'population'"),
        (["--layer", "conv2", "population=many"], "'population'"),
        (["--layer", "conv2", "ind=4-2"], "'ind'"),
        (["--layer", "conv2", "motif_database=nowhere.meme"], "nowhere.meme"),
        (["--layer", "conv2", "model=nobody"], "nobody"),
    ],
)
def test_bad_input_is_one_line_and_status_2(workplace, capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        sample.main(["--config", str(workplace(seeded_model(2, 4))), *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error


def test_a_step_before_its_turn_says_which_comes_first(workplace):
    discovery = opened(workplace(seeded_model(2, 4)), 3)
    for step, first in ((cluster, "sample"), (match, "cluster"), (report, "cluster")):
        with pytest.raises(InputError, match=f"motif_discovery.{first}"):
            step.run(discovery, [1], quiet=True)


def test_a_table_with_comments_and_odd_names_is_read_back(tmp_path):
    """Row 11: columns are found by name."""
    row = ["q#1", "t\u00e9", 0, 1e-300, 1e-298, 2e-298, 4, "ACGU", "ACGU", "+"]
    files.write_matches(tmp_path / "a.tsv", pd.DataFrame([row], columns=files.COLUMNS), "key")
    table = files.read_matches(tmp_path / "a.tsv")
    assert table["p-value"].iloc[0] == 1e-300
    assert table["Query_ID"].iloc[0] == "q#1"
    assert files.stored_key(tmp_path / "a.tsv") == "key"
    (tmp_path / "b.tsv").write_text("Query_ID\tTarget_ID\n")
    with pytest.raises(InputError, match="not a Tomtom table"):
        files.read_matches(tmp_path / "b.tsv")


def test_a_padded_model_says_what_its_windows_are(workplace):
    """Row 9: the page says that results describe interior positions."""
    padded, plain = seeded_model(2, 4, padding=2), seeded_model(2, 4)
    discovery = opened(workplace(padded), 2)
    run_all(discovery, [1])
    assert "interior positions" in discovery.report_path(1).read_text()
    assert "interior positions" not in opened(workplace(plain), 2).context


def test_workers_share_the_neurons_and_give_the_same_files(workplace, tmp_path):
    """Row 27: disjoint work, atomic files, the same result as in one process."""
    config = workplace(seeded_model(2, 4), neurons_at_once=2)
    shared = ["--from", "3", "--to", "3", "--config", str(config), "--neurons", "1-5"]
    discover.main(shared)
    (tmp_path / "worker.py").write_text(
        "import sys, pathlib\nfrom motif_discovery import settings, discover\n"
        "settings.HERE = pathlib.Path(sys.argv[1])\n"
        "if __name__ == '__main__':\n    discover.main(sys.argv[2:])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "worker.py"), str(tmp_path / "several"), *shared, "--processes", "2"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "conv3: neurons: 5 of 5 (100 %)" in done.stderr
    one, several = settings.HERE, tmp_path / "several"
    names = sorted(path.relative_to(one) for path in one.rglob("*.*"))
    assert names == sorted(path.relative_to(several) for path in several.rglob("*.*"))
    for name in names:
        if name.suffix in (".tsv", ".meme", ".html"):
            assert (one / name).read_bytes() == (several / name).read_bytes(), name


def descendants(process):
    """Return the ids of the children of a process, of their children, and so on."""
    own = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + [one for child in own for one in descendants(child)]


def test_workers_end_with_their_parent(workplace, tmp_path):
    """A parent that is killed leaves no worker behind, and what was finished is whole."""
    config = workplace(seeded_model(2, 4), neurons_at_once=1, population=300, generations=300, patience=300)
    (tmp_path / "worker.py").write_text(
        "import sys, pathlib\nfrom motif_discovery import settings, discover\n"
        "settings.HERE = pathlib.Path(sys.argv[1])\n"
        "if __name__ == '__main__':\n    discover.main(sys.argv[2:])\n"
    )
    arguments = ["--from", "3", "--to", "3", "--config", str(config), "--processes", "2"]
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "worker.py"), str(tmp_path / "out"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    samples = tmp_path / "out" / "maxactivation_samples" / "toy"
    deadline = time.monotonic() + 300  # on a busy machine
    while not list(samples.glob("conv3_*.h5")) and parent.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    if not Path(f"/proc/{parent.pid}/task/{parent.pid}/children").is_file():
        parent.kill()
        pytest.skip("this kernel does not list the children of a process")
    workers = descendants(parent.pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").is_dir() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(workers) >= 4  # two workers, the server they are forked from, and the tracker of shared resources
    assert not [worker for worker in workers if Path(f"/proc/{worker}").is_dir()]
    finished = list(samples.glob("conv3_*.h5"))
    assert finished
    assert all(files.read_sample(path).maximum > 0 for path in finished)
