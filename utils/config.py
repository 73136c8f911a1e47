"""Settings: YAML files checked against a schema, with ``key=value`` on the command line winning over the file."""

import argparse
import difflib
import re
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import pydantic
import yaml

from utils.runtime import ROOT, InputError, home_path, is_below_root, root_path, shown

LARGEST = 2**31


class Settings(pydantic.BaseModel):
    """A group of settings. An unknown key or a wrong type is an error."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _true_is_not_a_number(cls, value: object, info: pydantic.ValidationInfo) -> object:
        """Refuse ``true`` and ``false`` for a number."""
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation in (int, float):
            raise ValueError("true and false are not numbers")
        return value

    @pydantic.field_validator("*")
    @classmethod
    def _of_a_size_to_count_with(cls, value: object) -> object:
        """Refuse whole numbers that no array can be indexed with."""
        if isinstance(value, int) and not -LARGEST < value < LARGEST:
            raise ValueError(f"a number below {LARGEST:,} is meant")
        return value


def _written(value: str, info: pydantic.ValidationInfo) -> str:
    """Refuse what a config file lets a script write outside of the repository; a command line may."""
    if info.context is not None and info.field_name not in info.context and not is_below_root(value):
        raise ValueError(
            f"a config does not write outside of the repository; as {info.field_name}=... on the command line it may"
        )
    return value


Seed = Annotated[int, pydantic.Field(ge=0)]
OutputFolder = Annotated[str, pydantic.AfterValidator(_written)]  # that a script writes into
OutputData = Annotated[OutputFolder, pydantic.Field(pattern=r"^$|(^|/)[A-Za-z0-9_][^/]*\.h5$")]
OutputWeights = Annotated[OutputFolder, pydantic.Field(pattern=r"^$|(^|/)[A-Za-z0-9_][^/]*\.pth$")]


class NetworkSettings(Settings):
    """Constructor arguments of the predictor that a bare published checkpoint cannot tell by itself."""

    num_layers: int = pydantic.Field(6, ge=1, le=20)
    in_channels: int = pydantic.Field(6, ge=4, le=8)
    padding: int = pydantic.Field(0, ge=0, le=4)
    num_targets: int = pydantic.Field(1, ge=1, le=10_000)
    dropout: float = pydantic.Field(0.3, ge=0, le=0.95)
    readout: typing.Literal["last", "first"] = "first"


class ModelSettings(Settings):
    """configs/models/NAME.yaml: a trained model, described once."""

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    checkpoint: str | list[str]
    dataset: str
    network: NetworkSettings = NetworkSettings()


class OwnModelSettings(Settings):
    """configs/models/NAME.yaml of a network of the user's: its class, its weights, and how it reads sequences."""

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    checkpoint: str
    dataset: str
    network: str = pydantic.Field(pattern=r"^[^\n]+:[A-Za-z_]\w*$")  # FILE.py:Class, or package.module:Class
    arguments: dict[str, typing.Any] = pydantic.Field({}, description="of the class")
    prefix: str = pydantic.Field("", description="of the keys of the weights, such as model.")
    alphabet: typing.Literal["RNA", "DNA"] = "RNA"
    reverse_complement: bool = pydantic.Field(False, description="DNA: match motifs on both strands")
    tracks: int = pydantic.Field(4, ge=4, le=256, description="of the input: A, C, G, T and others, held at zero")
    targets: int = pydantic.Field(1, ge=1, le=10_000, description="predicted properties")
    layers: list[str] = pydantic.Field([], description="names of the convolutions to interpret; [] for all")

    @pydantic.field_validator("reverse_complement")
    @classmethod
    def _of_dna(cls, value: bool, info: pydantic.ValidationInfo) -> bool:
        """Refuse reverse complements of RNA, which has one strand."""
        if value and info.data.get("alphabet") != "DNA":
            raise ValueError("only for alphabet: DNA; RNA has one strand")
        return value


# what PyYAML raises: a date such as 2024-99-99 is a ValueError, a key that is a list a TypeError
NOT_YAML = (yaml.YAMLError, ValueError, TypeError, RecursionError)
LARGEST_YAML = 2**20  # bytes of a config

S = TypeVar("S", bound=pydantic.BaseModel)


class _EachKeyOnce(yaml.SafeLoader):
    """The safe loader; a key that stands twice in a mapping, of which it would drop the first, is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Return a mapping."""
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                written = key.tag, key.value
                if written in first:
                    problem = f"key {key.value[:40]!r} is there twice, first in line {first[written]}"
                    raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
                first[written] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, largest: int = LARGEST_YAML) -> dict:
    """Return the mapping in a YAML file of up to ``largest`` bytes.

    Raises:
        InputError: no such file, too large, not YAML, or not a mapping.
    """
    if not path.is_file():
        raise InputError(f"{shown(path)}: no such config file")
    if path.stat().st_size > largest:
        raise InputError(f"{shown(path)}: {path.stat().st_size:,} bytes; no such file is larger than {largest:,}")
    try:
        loader = _EachKeyOnce(path.read_text(encoding="utf-8"))
        try:
            content = loader.get_single_data()
        finally:
            loader.dispose()
    except NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"{shown(path)}{line}: not a YAML file: {reason}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{shown(path)}: expected 'key: value' lines, found {type(content).__name__}")
    if _expanded(content, {}) > largest:
        raise InputError(f"{shown(path)}: its aliases (*) stand for too much, or for themselves; write it out")
    return content


def _expanded(node: object, known: dict[int, float]) -> float:
    """Return how many values a part of a config holds, those of aliases wherever they stand; endless is infinite."""
    if not isinstance(node, dict | list):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is counted: whoever comes back here goes in a circle
        inside = node.values() if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_expanded(one, known) for one in inside)
    return known[id(node)]


def read_config(path: Path, overrides: Sequence[str]) -> dict:
    """Return the content of a YAML config with ``key=value`` overrides applied, not checked against a schema.

    Raises:
        InputError: not a config, or an override is not of this form.
    """
    content = read_yaml(path)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise InputError(f"'{override}': an override is written key=value")
        target = content
        *groups, last = key.split(".")
        for group in groups:
            if not isinstance(target.get(group), dict):
                target[group] = {}
            target = target[group]
        try:
            target[last] = yaml.safe_load(value)
        except NOT_YAML:
            raise InputError(f"'{override}': the value is not YAML") from None
    return content


def load_settings(schema: type[S], path: str | Path, overrides: Sequence[str] = ()) -> S:
    """Read a YAML config and apply ``key=value`` overrides (``a.b=value`` reaches into a group).

    Raises:
        InputError: naming the key, what is wrong with it, and for an unknown key the nearest known one.
    """
    path = find_config(path)
    content = read_config(path, overrides)
    return validated(schema, content, shown(path), {override.partition("=")[0] for override in overrides})


def validated(schema: type[S], content: dict, where: str, typed: set[str] | None = None) -> S:
    """Return settings that were read from somewhere.

    Args:
        schema: of the settings.
        content: keys and values.
        where: they come from, for errors.
        typed: keys that a person gave on the command line.

    Raises:
        InputError: as ``load_settings``.
    """
    try:
        return schema.model_validate(content, context=typed or set())
    except pydantic.ValidationError as error:
        raise InputError(f"{where}: {_explain(error.errors()[0], schema)}") from None


def load_variant(schemas: Mapping[str, type[S]], key: str, path: str | Path, overrides: Sequence[str] = ()) -> S:
    """Read a YAML config of which one key says what its other keys are.

    Raises:
        InputError: as ``load_settings``, or the key is missing or names no variant.
    """
    path = find_config(path)
    name = read_config(path, overrides).get(key)
    if not isinstance(name, str) or name not in schemas:
        raise InputError(f"{shown(path)}: key '{key}' is {reprlib.repr(name)}; expected one of {', '.join(schemas)}")
    return load_settings(schemas[name], path, overrides)


def _explain(problem: dict, schema: type[pydantic.BaseModel]) -> str:
    """Return one line for the first problem pydantic found."""
    location = [part for part in problem["loc"] if isinstance(part, str)]
    key = ".".join(location)
    if problem["type"] == "invalid_key" or not location:
        return f"key {problem['input']!r:.80} is no name; a key is a word"
    if problem["type"] == "extra_forbidden":
        for group in location[:-1]:
            annotation = schema.model_fields[group].annotation
            inner = typing.get_args(annotation) or (annotation,)  # a list of groups, or a group
            found = (kind for kind in inner if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel))
            schema = next(found, schema)
        known = list(schema.model_fields)
        near = difflib.get_close_matches(location[-1], known, n=1)
        said = f"the nearest known one is '{near[0]}'" if near else "is it the config of another stage?"
        return f"unknown key '{key}'; {said} (known: {', '.join(known)})"
    if problem["type"] == "missing":
        return f"key '{key}' is missing; is it the config of another stage?"
    what = getattr(schema.model_fields.get(key), "description", None)
    if problem["type"] == "string_pattern_mismatch":
        suffix = re.search(r"\\(\.\w+)\$$", problem["ctx"]["pattern"])
        form = f"a file name that ends with {suffix[1]}" if suffix else what or problem["ctx"]["pattern"]
        return f"key '{key}' must be {form} (got {reprlib.repr(problem['input'])})"
    if problem["type"] == "string_type" and what:
        return f"key '{key}' must be text: {what} (got {reprlib.repr(problem['input'])})"
    reason = problem["msg"].removeprefix("Value error, ")
    return f"key '{key}': {reason[0].lower()}{reason[1:]} (got {reprlib.repr(problem['input'])})"


def find_config(path: str | Path, below: str = "") -> Path:
    """Return the config a person means: a path from here or from the root, or a bare name in ``configs/<below>/``."""
    path = home_path(path)
    candidates = [path, ROOT / path]
    if below:
        candidates.append(ROOT / "configs" / below / f"{path}.yaml")
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    looked = ", ".join(dict.fromkeys(shown(one) for one in candidates))
    raise InputError(f"{path}: no such config file (looked for {looked})")


def load_model_settings(name: str | Path) -> ModelSettings | OwnModelSettings:
    """Return the model that a stage's config names: a name in configs/models, or a path.

    Where its ``network`` is text it is a network of the user's. A Python file is looked for beside the config, then
    from the repository root, and its whole path is put in.
    """
    path = find_config(name, "models")
    if not isinstance(read_yaml(path).get("network"), str):
        return load_settings(ModelSettings, path)
    settings = load_settings(OwnModelSettings, path)
    place, _, kind = settings.network.rpartition(":")
    if not place.endswith(".py"):
        return settings
    candidates = [path.parent / home_path(place), root_path(place)]
    file = next((one for one in candidates if one.is_file()), None)
    if file is None:
        looked = ", ".join(shown(one) for one in dict.fromkeys(candidates))
        raise InputError(f"{shown(path)}: key 'network': {place} is no file (looked for {looked})")
    return settings.model_copy(update={"network": f"{file.resolve()}:{kind}"})


def parse_range(text: str | int, limit: int, what: str = "neurons") -> list[int]:
    """Return the numbers, counted from 1, that ``1-4``, ``3`` or ``1,5-7`` (both ends included) name.

    ``what`` they are of is named in errors.

    Raises:
        InputError: not of that form, or outside 1 to ``limit``.
    """
    numbers: list[int] = []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if not match:
            raise InputError(f"{what}: '{text}' is not a range such as 1-4")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= limit:
            raise InputError(f"{what}: {part.strip()} is outside 1 to {limit}")
        numbers.extend(range(first, last + 1))
    return sorted(set(numbers))


def parse_layer(text: str | int) -> int:
    """Return 5 for ``conv5`` or ``5``.

    Raises:
        InputError: neither of these.
    """
    match = re.fullmatch(r"(?:conv)?(\d+)", str(text).strip())
    if not match or int(match[1]) < 1:
        raise InputError(f"layer: '{text}' is not a layer such as conv5")
    return int(match[1])


def describe_keys(schema: type[pydantic.BaseModel]) -> str:
    """Return the settings of a schema and their defaults, for ``--help``."""
    lines = []
    for key, field in schema.model_fields.items():
        default = "required" if field.is_required() else field.get_default(call_default_factory=True)
        note = f"  {field.description}" if field.description else ""
        kind = field.annotation
        kind = kind.__name__ if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) else kind
        lines.append(f"  {key} = {default}  ({str(kind).replace('typing.', '')}){note}")
    return "\n".join(lines)


def settings_parser(doc: str | None, *schemas: type[pydantic.BaseModel]) -> argparse.ArgumentParser:
    """Return the command-line parser that every script shares: ``--config FILE [key=value ...]``."""
    keys: dict[type[pydantic.BaseModel], str] = {}
    for schema in schemas:
        title = f"{schema.__doc__.splitlines()[0]}\n" if len(schemas) > 1 and schema.__doc__ else ""
        keys[schema] = title + describe_keys(schema)
    parser = argparse.ArgumentParser(
        description=doc,
        epilog="settings (in the config file, or as key=value here):\n" + "\n".join(keys.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, metavar="FILE", help="YAML config")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that win over the file")
    return parser


def root_files(paths: str | Sequence[str], key: str) -> list[Path]:
    """Return the files that a key of a config names, one or several.

    Raises:
        InputError: one is not there.
    """
    found = [root_path(path) for path in ([paths] if isinstance(paths, str) else paths)]
    for path in found:
        if not path.is_file():
            raise InputError(f"key '{key}': {shown(path)}: no such file; {_remedy(path)}")
    return found


def _remedy(path: Path) -> str:
    """Return what makes a file that is not there, as far as its path tells."""
    if path.parent == ROOT / "data" / "downloads":
        return f"get it with bash generate_dataset/download.sh {path.name}"
    if path.parent == ROOT / "data" and path.name.startswith("simulated"):
        return "make it with python -m generate_dataset.simulate --config configs/simulated.yaml"
    if path.parent == ROOT / "data" and path.suffix == ".meme":
        return "make it with python -m generate_dataset.motif_database --config configs/datasets/motif_databases.yaml"
    return "correct the path"
