"""Toy models with known answers, and the network written down plainly, for comparison."""

import torch
import torch.nn.functional as F

from utils.model import Predictor
from utils.sequence import encode, one_hot

CONSTANT = 1000.0  # height of the channels that keep the variance of LayerNorm the same everywhere


def seeded_model(num_layers: int, in_channels: int, padding: int = 0, *, seed: int = 0, **more) -> Predictor:
    """Return a predictor in evaluation mode in which every parameter and running statistic is drawn at random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Predictor(num_layers, in_channels, padding, **more).eval().requires_grad_(False)
        for key, value in model.state_dict().items():
            if ".ln." in key or (key.startswith("bn") and value.is_floating_point()):
                value.add_(0.3 * torch.randn_like(value))
            if key.endswith("running_var"):
                value.abs_().add_(0.1)
        model.conv1.weight.mul_(2)
    return model


def word_model(words: list[str], num_layers: int = 1, in_channels: int = 4, padding: int = 0, **more) -> Predictor:
    """Return a predictor whose conv1 neuron i counts the matches of a window with the 5-letter word i.

    Its maximum is 5, exactly at the word; the next best windows have 4. The other conv1 neurons are always 0, the
    layers above are those of ``seeded_model``.
    """
    model = seeded_model(num_layers, in_channels, padding, **more)
    weight = torch.zeros_like(model.conv1.weight)
    for neuron, word in enumerate(words):
        weight[neuron, :4] = one_hot(encode(word))
    model.conv1.weight.copy_(weight)
    return model


def pair_model(pairs: list[tuple[str, str]], num_layers: int = 1, in_channels: int = 4, **more) -> Predictor:
    """Return a predictor whose conv2 neuron i fires for two 5-letter words, the second starting 4 nt after the first.

    A 9-nt window gives 1 where both words stand, 0 where one of them does, -1 where neither does (to 1e-4). The words
    of a pair share a letter, the last of the first and the first of the second; at most 15 pairs.

    LayerNorm and ReLU lie between the layers. So conv1 holds every word's count of matches s together with -s, and its
    other channels hold +1000 and -1000 at any base: the mean over channels is 0 and the variance the same everywhere.
    The weight of LayerNorm undoes the division, its bias is -4, and ReLU leaves 1 for a full match (s = 5), else 0.
    conv2 adds the first word at its first position to the second at its last, less 1.
    """
    model = seeded_model(num_layers, in_channels, **more)
    conv1, conv2, norm = model.conv1, model.conv_layers[0], model.ln_layers[0].ln
    words = [word for pair in pairs for word in pair]
    for value in (conv1.weight, conv2.weight):
        value.zero_()
    for place, word in enumerate(words):
        conv1.weight[2 * place, :4] = one_hot(encode(word))
        conv1.weight[2 * place + 1, :4] = -one_hot(encode(word))
    free = model.channels - 2 * len(words)
    conv1.weight[-free::2, :4] = CONSTANT / 5
    conv1.weight[-free + 1 :: 2, :4] = -CONSTANT / 5
    norm.weight.fill_((free / model.channels * CONSTANT**2) ** 0.5)
    norm.bias.fill_(-4)
    conv2.bias.fill_(-1)
    for neuron, (first, second) in enumerate(pairs):
        if first[-1] != second[0]:
            raise ValueError(f"{first} and {second} share no letter")
        conv2.weight[neuron, 4 * neuron, 0] = 1
        conv2.weight[neuron, 4 * neuron + 2, 4] = 1
    return model


def _normalised(x: torch.Tensor, state: dict, key: str) -> torch.Tensor:
    """LayerNorm over the channels of (batch, channels, positions), eps 0.007, from its formula."""
    mean = x.mean(dim=1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=1, keepdim=True)
    scaled = (x - mean) / torch.sqrt(variance + 0.007)
    return scaled * state[f"{key}.ln.weight"][None, :, None] + state[f"{key}.ln.bias"][None, :, None]


def plain_map(state: dict, X: torch.Tensor, layer: int, padding: int = 0) -> torch.Tensor:
    """Return the raw output (batch, channels, positions) of convolution ``layer`` from a published state dict."""
    x = F.conv1d(X, state["conv1.weight"][:, : X.shape[1]], padding=padding)
    for block in range(layer - 1):
        if block > 0:
            x = F.max_pool1d(x, 2)
        x = F.relu(_normalised(x, state, f"ln_layers.{block}"))
        x = F.conv1d(x, state[f"conv_layers.{block}.weight"], state[f"conv_layers.{block}.bias"], padding=padding)
    return x


def _batch_norm(x: torch.Tensor, state: dict, key: str) -> torch.Tensor:
    scaled = (x - state[f"{key}.running_mean"]) / torch.sqrt(state[f"{key}.running_var"] + 1e-5)
    return scaled * state[f"{key}.weight"] + state[f"{key}.bias"]


def plain_prediction(state: dict, X: torch.Tensor, padding: int = 0, readout: str = "last") -> torch.Tensor:
    """Return predictions (batch, targets) in evaluation mode, over the full length, step by step."""
    layers = 1 + sum(key.startswith("conv_layers.") and key.endswith(".weight") for key in state)
    x = F.max_pool1d(plain_map(state, X, layers, padding), 2)
    x = F.relu(_normalised(x, state, "Pln1"))
    steps = x.unbind(dim=2)
    gru = {key: state[f"rnn.gru.{key}_l0"] for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    h = torch.zeros_like(steps[0])
    for step in steps if readout == "last" else steps[::-1]:
        from_input = (step @ gru["weight_ih"].T + gru["bias_ih"]).chunk(3, dim=1)
        from_state = (h @ gru["weight_hh"].T + gru["bias_hh"]).chunk(3, dim=1)
        reset, update = (torch.sigmoid(from_input[gate] + from_state[gate]) for gate in (0, 1))
        new = torch.tanh(from_input[2] + reset * from_state[2])
        h = (1 - update) * new + update * h
    x = F.relu(_batch_norm(h, state, "bn1")) @ state["fc1.weight"].T + state["fc1.bias"]
    return F.relu(_batch_norm(x, state, "bn2")) @ state["head.weight"].T + state["head.bias"]


def random_messages(lengths: list[int], tracks: int, full: int, seed: int = 0) -> torch.Tensor:
    """Return float32 (messages, tracks, full): random bases (and annotation bits) up to each length, zeros behind."""
    generator = torch.Generator().manual_seed(seed)
    X = torch.zeros(len(lengths), tracks, full)
    for row, length in enumerate(lengths):
        X[row, :4, :length] = one_hot(torch.randint(4, (length,), generator=generator))
        X[row, 4:, :length] = (torch.rand(tracks - 4, length, generator=generator) < 0.2).float()
    return X
