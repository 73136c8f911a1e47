"""Settings: what is wrong is said in one line; the command line wins over the file."""

import pydantic
import pytest
import yaml

from utils.config import (
    ModelSettings,
    OutputData,
    OutputFolder,
    OutputWeights,
    Settings,
    describe_keys,
    find_config,
    load_model_settings,
    load_settings,
    load_variant,
    parse_layer,
    parse_range,
    root_files,
    settings_parser,
)  # fmt: skip
from utils.runtime import ROOT, InputError


class Group(Settings):
    depth: int = 3
    share: float = pydantic.Field(0.5, ge=0, le=1)


class Example(Settings):
    model: str
    epochs: int = pydantic.Field(30, ge=1)
    zero_annotation: bool = False
    group: Group = Group()


@pytest.fixture
def config(tmp_path):
    """Return a function that writes a config file."""

    def write(text):
        path = tmp_path / "example.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def failure(config, one_line, text, *overrides):
    """Return the one-line message that a config makes."""
    with pytest.raises(InputError) as raised:
        load_settings(Example, config(text), overrides)
    return one_line(raised)


def test_file_over_defaults_and_command_line_over_file(config):
    """Row 25: the file overrode the command line."""
    path = config("model: a\nepochs: 7\ngroup:\n  depth: 4\n")
    assert load_settings(Example, path) == Example(model="a", epochs=7, group=Group(depth=4))
    settings = load_settings(Example, path, ["epochs=9", "model=b", "group.share=0.25"])
    assert settings == Example(model="b", epochs=9, group=Group(depth=4, share=0.25))
    assert load_settings(Example, path, ["epochs=9", "epochs=11"]).epochs == 11
    assert load_settings(Example, config("model: a"), ["group.depth=8"]).group.depth == 8


@pytest.mark.parametrize(("text", "value"), [("False", False), ("false", False), ("True", True), ("true", True)])
def test_false_is_false(config, text, value):
    """Row 25: type=bool makes 'False' true."""
    assert load_settings(Example, config("model: a"), [f"zero_annotation={text}"]).zero_annotation is value
    assert load_settings(Example, config(f"model: a\nzero_annotation: {text}")).zero_annotation is value


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [("model: a\nepoch: 3", "epoch", "epochs"), ("model: a\ngroup: {dept: 3}", "group.dept", "depth"),
     ("model: a\nzero_anotation: true", "zero_anotation", "zero_annotation")],
)  # fmt: skip
def test_an_unknown_key_names_the_nearest_known_one(config, one_line, text, key, nearest):
    message = failure(config, one_line, text)
    assert f"'{key}'" in message
    assert f"'{nearest}'" in message
    assert "example.yaml" in message


def test_an_unknown_override_names_the_nearest_known_one(config, one_line):
    message = failure(config, one_line, "model: a", "epohcs=3")
    assert "'epohcs'" in message
    assert "'epochs'" in message


@pytest.mark.parametrize(
    ("text", "key"),
    [("model: a\nepochs: many", "epochs"), ("model: a\nepochs: 2.5", "epochs"), ("model: a\nepochs: 0", "epochs"),
     ("model: [a]", "model"), ("model: 5", "model"), ("model: a\ngroup: 3", "group"),
     ("model: a\ngroup: {share: 1.5}", "group.share"), ("model: a\nzero_annotation: maybe", "zero_annotation"),
     ("epochs: 3", "model"), ("", "model"), ("model:", "model")],
)  # fmt: skip
def test_a_wrong_type_or_value_or_missing_key_is_named(config, one_line, text, key):
    assert f"'{key}'" in failure(config, one_line, text)


def test_true_is_not_a_number(config, one_line):
    """layout.md: a wrong type is an error that names the key."""
    assert "'epochs'" in failure(config, one_line, "model: a\nepochs: true")


@pytest.mark.parametrize("override", ["epochs", "=3", "epochs 3", "epochs=[1", ""])
def test_a_malformed_override_is_an_error(config, one_line, override):
    assert f"'{override}'" in failure(config, one_line, "model: a", override)


@pytest.mark.parametrize(
    "text",
    [
        "model: [a", "a: b: c", "\tmodel: a", "- a\n- b", "only words",
        "model: a\x00", "model: 2024-99-99", "1: 2\nmodel: a",
    ],
)  # fmt: skip
def test_what_is_not_a_mapping_in_yaml_is_an_error(config, one_line, text):
    assert "example.yaml" in failure(config, one_line, text)


def test_bytes_that_are_not_text_are_an_error(tmp_path, one_line):
    path = tmp_path / "example.yaml"
    path.write_bytes(b"model: \xff\xfe")
    with pytest.raises(InputError) as raised:
        load_settings(Example, path)
    assert "example.yaml" in one_line(raised)


def test_a_missing_file_is_named(tmp_path, one_line):
    with pytest.raises(InputError) as raised:
        load_settings(Example, tmp_path / "nothing.yaml")
    assert "nothing.yaml" in one_line(raised)
    with pytest.raises(InputError) as raised:
        load_model_settings("no_such_model")
    assert "configs/models/no_such_model.yaml" in one_line(raised)
    with pytest.raises(InputError) as raised:
        root_files(["nothing.csv"], "source")
    assert "key 'source': nothing.csv: no such file" in one_line(raised)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("data/downloads/some_table.csv.gz", "bash generate_dataset/download.sh some_table.csv.gz"),
        ("data/simulated_77.meme", "generate_dataset.simulate --config configs/simulated.yaml"),
        ("data/no_such.meme", "generate_dataset.motif_database --config configs/datasets/motif_databases.yaml"),
    ],
)
def test_a_file_that_a_command_makes_is_named_with_it(path, remedy, one_line):
    with pytest.raises(InputError) as raised:
        root_files(path, "motif_database")
    assert remedy in one_line(raised)


def test_a_config_is_found_by_name_and_by_path(tmp_path, monkeypatch):
    name = next((ROOT / "configs" / "models").glob("*.yaml"))
    monkeypatch.chdir(tmp_path)  # from anywhere
    assert find_config(name.stem, "models") == name
    assert find_config(f"configs/models/{name.name}") == name
    (tmp_path / "own.yaml").write_text("name: own\ncheckpoint: c\ndataset: d\n")
    assert find_config("own.yaml") == tmp_path / "own.yaml"
    assert load_model_settings("own.yaml").name == "own"


def test_every_model_config_is_valid_and_commented():
    for path in (ROOT / "configs" / "models").glob("*.yaml"):
        assert load_settings(ModelSettings, path).name == path.stem
        assert "#" in path.read_text()


def test_a_model_name_cannot_leave_its_folder(config, one_line):
    with pytest.raises(InputError) as raised:
        load_settings(ModelSettings, config("name: ../a\ncheckpoint: c\ndataset: d"))
    assert "'name'" in one_line(raised)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1-4", [1, 2, 3, 4]), ("3", [3]), (3, [3]), ("1,5-7", [1, 5, 6, 7]), ("2-2", [2]), ("64", [64]),
     ("5, 1-2, 2", [1, 2, 5]), (" 1 - 3 ", [1, 2, 3])],
)  # fmt: skip
def test_parse_range(text, numbers):
    assert parse_range(text, 64) == numbers


@pytest.mark.parametrize("text", ["", "0", "0-4", "65", "60-65", "4-1", "a", "1-", "-3", "1.5", "1-2-3", "1,,2"])
def test_parse_range_refuses(text, one_line):
    with pytest.raises(InputError) as raised:
        parse_range(text, 64)
    assert "neurons" in one_line(raised)


@pytest.mark.parametrize(("text", "layer"), [("conv5", 5), ("5", 5), (5, 5), ("conv12", 12), (" conv1 ", 1)])
def test_parse_layer(text, layer):
    assert parse_layer(text) == layer


@pytest.mark.parametrize("text", ["conv0", "0", "conv", "", "conv-1", "con5", "conv5x", "conv1.5"])
def test_parse_layer_refuses(text, one_line):
    with pytest.raises(InputError) as raised:
        parse_layer(text)
    assert "layer" in one_line(raised)


def test_help_lists_every_key_and_its_default(capsys):
    text = describe_keys(Example)
    for key in Example.model_fields:
        assert f"  {key} = " in text
    assert "epochs = 30" in text
    assert "model = required" in text
    with pytest.raises(SystemExit) as stopped:
        settings_parser("About this script.", Example).parse_args(["--help"])
    assert stopped.value.code == 0
    assert "zero_annotation" in capsys.readouterr().out


def test_command_line_takes_overrides_after_the_file():
    arguments = settings_parser(None, Example).parse_args(["--config", "a.yaml", "epochs=3", "group.depth=2"])
    assert (arguments.config, arguments.overrides) == ("a.yaml", ["epochs=3", "group.depth=2"])


def test_settings_survive_yaml():
    settings = Example(model="a", zero_annotation=True)
    assert Example(**yaml.safe_load(yaml.safe_dump(settings.model_dump()))) == settings


def test_an_unknown_key_in_a_list_of_groups_is_compared_with_the_keys_of_the_group(tmp_path, one_line):
    class Motif(Settings):
        """A member."""

        word: str

    class Simulation(Settings):
        """A config with a list of groups."""

        motifs: list[Motif] = pydantic.Field(default_factory=list)
        world: int = 1

    config = tmp_path / "simulation.yaml"
    config.write_text("motifs: [{word: UGUA}, {wrod: ACU}]\n")
    with pytest.raises(InputError) as raised:
        load_settings(Simulation, config)
    message = one_line(raised)
    assert "'motifs.wor" in message
    config.write_text("motifs: [{word: UGUA, wordd: ACU}]\n")
    with pytest.raises(InputError) as raised:
        load_settings(Simulation, config)
    assert "the nearest known one is 'word'" in one_line(raised)


def test_a_variant_is_chosen_by_its_key(tmp_path, one_line):
    class One(Settings):
        """The first kind."""

        kind: str
        a: int = 1

    class Two(Settings):
        """The second kind."""

        kind: str
        b: int = 2

    config = tmp_path / "variant.yaml"
    config.write_text("kind: two\nb: 5\n")
    schemas = {"one": One, "two": Two}
    assert load_variant(schemas, "kind", config) == Two(kind="two", b=5)
    assert load_variant(schemas, "kind", config, ["b=7"]).b == 7
    for overrides, word in ((["kind=three"], "one, two"), (["kind=one"], "unknown key 'b'")):
        with pytest.raises(InputError) as raised:
            load_variant(schemas, "kind", config, overrides)
        assert word in one_line(raised)


# -- configs that are hostile or absurd ------------------------------------------------------------------------------

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [BOMB + "model: *a11", "model: &a [*a]", "model: " + "[" * 20_000, "? [a]\n: b", "1: 2", "model: a\nnull: 3",
     "epochs: " + "9" * 5000, "model: a\nepochs: 1" + "0" * 30, "model: a\ngroup: {share: .nan}",
     "model: a\ngroup: {share: .inf}", "model: \"a\\0b\"\nepochs: x", "model: a\n" + "#" * 2**20],
    ids=range(12),
)  # fmt: skip
def test_an_absurd_config_is_one_line(config, one_line, text):
    assert "example.yaml" in failure(config, one_line, text)


def test_code_in_a_config_is_not_run(config, one_line, tmp_path):
    for tag in ("apply:os.mkdir", "new:os.mkdir"):
        failure(config, one_line, f"model: !!python/object/{tag} ['{tmp_path / 'made'}']")
    assert not (tmp_path / "made").exists()
    with pytest.raises(InputError):
        load_settings(Example, config("model: a"), [f"model=!!python/object/apply:os.mkdir ['{tmp_path / 'made'}']"])
    assert not (tmp_path / "made").exists()


class Writing(Settings):
    output: OutputData = "data/set.h5"
    folder: OutputFolder = "data"
    weights: OutputWeights = ""


@pytest.mark.parametrize(
    ("key", "value"),
    [("output", "../set.h5"), ("output", "/tmp/set.h5"), ("output", "~/set.h5"), ("output", "data/../../set.h5"),
     ("output", "utils/runtime.py"), ("output", "data/...h5/"), ("folder", ".."), ("folder", "/etc"),
     ("weights", "../../x.pth"), ("weights", "x.h5"), ("weights", "..pth")],
)  # fmt: skip
def test_a_config_writes_below_the_repository_only(config, one_line, key, value):
    with pytest.raises(InputError) as raised:
        load_settings(Writing, config(f"{key}: {value}"))
    assert f"'{key}'" in one_line(raised)


def test_the_command_line_may_write_elsewhere_but_no_other_kind_of_file(config, one_line, tmp_path):
    path = config("output: data/a.h5")
    assert load_settings(Writing, path).output == "data/a.h5"
    assert load_settings(Writing, path, [f"output={tmp_path}/a.h5", f"folder={tmp_path}"]).folder == str(tmp_path)
    with pytest.raises(InputError, match="'output'"):
        load_settings(Writing, path, ["output=utils/runtime.py"])


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/passwd", "..", ".hidden", "-x", "a\nb", "", "<b>", "$(id)"])
def test_a_model_name_is_a_plain_word(config, one_line, name):
    with pytest.raises(InputError, match="'name'") as raised:
        load_settings(ModelSettings, config(yaml.safe_dump({"name": name, "checkpoint": "a", "dataset": "b"})))
    one_line(raised)


def test_a_dropout_that_leaves_nothing_is_an_error(tmp_path, one_line):
    """At 0.999 whole batches were dropped, which ended in a traceback."""
    model = {"name": "a", "checkpoint": "a.pth", "dataset": "a.h5", "network": {"dropout": 0.999}}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(model))
    with pytest.raises(InputError, match=r"network.dropout.*0.95") as raised:
        load_model_settings(tmp_path / "model.yaml")
    one_line(raised)
