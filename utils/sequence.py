"""Sequences as text, as indices, and as one-hot arrays. The alphabet is A, C, G, U; T is read as U; 4 is N."""

import numpy as np
import torch

from utils.runtime import InputError

ALPHABET = "ACGU"
N = 4
IUPAC = {
    "A": "A", "C": "C", "G": "G", "U": "U", "T": "U",
    "R": "AG", "Y": "CU", "S": "CG", "W": "AU", "K": "GU", "M": "AC",
    "B": "CGU", "D": "AGU", "H": "ACU", "V": "ACG", "N": "ACGU",
}  # fmt: skip
IUPAC_OF_BASES = {bases: letter for letter, bases in IUPAC.items() if letter != "T"}

_INDEX_OF_BYTE = np.full(256, 255, dtype=np.uint8)
for _letters, _index in (("Aa", 0), ("Cc", 1), ("Gg", 2), ("UuTt", 3), ("Nn", N)):
    for _letter in _letters:
        _INDEX_OF_BYTE[ord(_letter)] = _index
_LETTERS = np.frombuffer(b"ACGUN", dtype=np.uint8)


def encode(text: str) -> np.ndarray:
    """Return the indices of a sequence, uint8 (length,): A 0, C 1, G 2, U or T 3, N 4.

    Raises:
        InputError: a letter that is none of these.
    """
    try:
        raw = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    except UnicodeEncodeError as error:
        raise InputError(f"sequence: letter {text[error.start]!r} is not one of ACGTUN") from None
    indices = _INDEX_OF_BYTE[raw]
    if (indices == 255).any():
        letter = text[int(np.argmax(indices == 255))]
        remedy = "; write N for it" if letter.upper() in IUPAC else ""
        raise InputError(f"sequence: letter {letter!r} is not one of ACGTUN{remedy}")
    return indices


def decode(indices: np.ndarray) -> str:
    """Return the text of indices (length,), as RNA; anything above 3 is N."""
    return _LETTERS[np.minimum(indices, N)].tobytes().decode("ascii")


def spelled(word: str, alphabet: str) -> str:
    """Return a word of bases or IUPAC letters as a network's alphabet writes it: with T where it is DNA."""
    return word.replace("U", "T") if alphabet == "DNA" else word


def one_hot(indices: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Return one-hot float32 (..., 4, length) of indices (..., length); an N is a column of zeros."""
    indices = torch.as_tensor(indices)
    table = torch.eye(5, 4, device=indices.device)
    return table[indices.long()].movedim(-1, -2)


def from_one_hot(X: np.ndarray) -> np.ndarray:
    """Return indices uint8 (..., length) of one-hot (..., 4 or more tracks, length); a zero column is N, never A."""
    bases = X[..., :4, :] > 0
    return np.where(bases.any(axis=-2), bases.argmax(axis=-2), N).astype(np.uint8)


def iupac_ppm(word: str) -> np.ndarray:
    """Return the probabilities float64 (4, length) of an IUPAC word: each letter spread evenly over its bases.

    Raises:
        InputError: a letter outside the IUPAC alphabet, or an empty word.
    """
    if not word:
        raise InputError("word: an IUPAC word cannot be empty")
    unknown = sorted(set(word.upper()) - set(IUPAC))
    if unknown:
        raise InputError(f"word {word!r}: letter {unknown[0]!r} is not an IUPAC letter ({''.join(IUPAC)})")
    ppm = np.array([[base in IUPAC[letter] for letter in word.upper()] for base in ALPHABET], dtype=np.float64)
    return ppm / ppm.sum(axis=0)
