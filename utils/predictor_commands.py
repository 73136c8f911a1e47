"""The command lines of training and evaluation, the same for every kind of predictor."""

from pathlib import Path

from utils.checkpoint import only_checkpoint
from utils.config import OwnModelSettings, load_model_settings, load_settings, settings_parser
from utils.data import SPLITS
from utils.evaluation import results_folder, run_evaluation
from utils.runtime import InputError, is_below_root, root_path, run_script, shown
from utils.training import TrainingSettings, run_training


def train_command(doc: str | None, results: Path, argv: list[str] | None) -> None:
    """Train the model that a training config names; its log and state go to ``results/NAME/``."""
    parser = settings_parser(doc, TrainingSettings)
    parser.add_argument("--overwrite", action="store_true", help="train again from the start")
    arguments = parser.parse_args(argv)

    def run() -> None:
        settings = load_settings(TrainingSettings, arguments.config, arguments.overrides)
        model = load_model_settings(settings.model)
        if isinstance(model, OwnModelSettings):
            raise InputError(
                f"model {model.name}: a network of one's own is trained by its own script, not by this one"
            )
        if not settings.checkpoint:
            path = only_checkpoint(model)
            if not (is_below_root(path) and path.suffix == ".pth"):
                raise InputError(
                    f"{shown(path)}: the config of {model.name} names no .pth file of the repository to train into "
                    "(key 'checkpoint'); give checkpoint=FILE on the command line"
                )
        name = Path(settings.checkpoint).stem.removesuffix("-best") if settings.checkpoint else model.name
        run_training(settings, model, results / name, arguments.overwrite)

    run_script(run)


def evaluate_command(doc: str | None, results: Path, argv: list[str] | None) -> None:
    """Evaluate the model that a training config names; what is found goes to ``results/NAME/``.

    What is found of other weights goes to a folder of their own: those of ``--checkpoint``, or else of the key
    ``checkpoint``, into which such a run was trained.
    """
    parser = settings_parser(doc, TrainingSettings)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another file than the model's own; given several times, the predictions are averaged and each is judged",
    )
    parser.add_argument("--split", choices=SPLITS, default="test", help="default: test")
    parser.add_argument("--no-baseline", action="store_true", help="without the ridge regression on k-mers")
    arguments = parser.parse_args(argv)

    def run() -> None:
        settings = load_settings(TrainingSettings, arguments.config, arguments.overrides)
        model = load_model_settings(settings.model)
        baseline = not arguments.no_baseline
        files = arguments.checkpoint or ([root_path(settings.checkpoint)] if settings.checkpoint else [])
        folder = results_folder(results, model, files)
        run_evaluation(model, folder, files, arguments.split, settings.device, baseline)

    run_script(run)
