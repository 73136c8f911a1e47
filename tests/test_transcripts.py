"""Transcripts of one's own: FASTA or genome with GTF, and a table, on both strands, with every bad input."""

import gzip
import logging

import numpy as np
import pytest

from generate_dataset import annotation
from generate_dataset.annotation import Annotation, splice
from generate_dataset.build import main, run
from generate_dataset.messages import CODON_START, SPLICE_SITE
from generate_dataset.transcripts import TranscriptSettings, read_transcripts
from utils.config import load_settings
from utils.data import SPLITS, read_split, unpack_tracks
from utils.runtime import ROOT, InputError
from utils.sequence import decode, from_one_hot

EXAMPLE = ROOT / "generate_dataset" / "example"
CONFIG = ROOT / "configs" / "datasets" / "transcripts_example.yaml"
FASTA = ">t1 some words\nGGATGAAAC\nccgggtaatttt\n\n>t2|more\nACGUNN\n>t3\nATGTGA\n>other\n-?-\n"
TABLE = "id,value,gene,cds_start,cds_end,exon_ends\nt1,2,g1,2,17,6;14;20\nt2,4,g2,,,\nt3,8,g1,0.0,6.0,\n"


@pytest.fixture
def read(tmp_path):
    """Return a function that writes FASTA and table (and GTF) and reads them."""

    def make(table=TABLE, fasta=FASTA, gtf=None, suffix="", delimiter=",", **more):
        def write(name, text):
            path = tmp_path / (name + suffix)
            text = text if isinstance(text, bytes) else text.encode()
            path.write_bytes(gzip.compress(text) if suffix == ".gz" else text)
            return str(path)

        table = table.replace(",", delimiter) if isinstance(table, str) else table
        source, rows = write("reads.fa", fasta), write("rows.csv" if delimiter == "," else "rows.tsv", table)
        keys = {"source": source, "table": rows, "reader": "transcripts", "output": "", "max_length": 24, **more}
        return read_transcripts(TranscriptSettings(**keys, **({"gtf": write("genes.gtf", gtf)} if gtf else {})))

    return make


def texts_of(messages):
    return [decode(row) for row in from_one_hot(unpack_tracks(messages.codes, 6))]


def marked(messages, row, track):
    """Return the positions of a message at which a track is on."""
    return np.flatnonzero(messages.codes[row] >> track & 1).tolist()


def random_text(rng, length=300):
    return "".join(rng.choice(list("ACGT"), length))


# -- FASTA and table ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_every_format_is_read(read, suffix, delimiter):
    """Row 8: N and padding are columns of zeros, never A. t2 is known by what stands before the |."""
    messages = read(suffix=suffix, delimiter=delimiter)
    assert messages.id == ["t1", "t2", "t3"]
    assert messages.gene == ["g1", "g2", "g1"]
    assert messages.split is None
    assert messages.label.tolist() == [[2], [4], [8]]
    assert messages.length.tolist() == [21, 6, 6]
    assert texts_of(messages) == ["GGAUGAAACCCGGGUAAUUUUNNN", "ACGUNN" + "N" * 18, "AUGUGA" + "N" * 18]
    assert [marked(messages, row, CODON_START) for row in range(3)] == [[2, 5, 8, 11, 14], [], [0, 3]]
    assert [marked(messages, row, SPLICE_SITE) for row in range(3)] == [[6, 14, 20], [], []]
    assert [path.name.removesuffix(".gz") for path in messages.files] == [
        "reads.fa", "rows.csv" if delimiter == "," else "rows.tsv"
    ]  # fmt: skip


def test_without_annotation_the_tracks_are_zero_and_each_row_stands_for_itself(read):
    messages = read("id,value\nt1,2\nt2,4\n")
    assert messages.gene is None
    assert not (messages.codes >> CODON_START).any()


def test_columns_have_any_name(read):
    table = "value,name,id,family,fold\n9,t1,x,a,1\n9,t2,y,,2\n9,t3,y,a,1\n"
    messages = read(table, id_column="name", gene_column="family", fold_column="")
    assert messages.id == ["t1", "t2", "t3"]
    assert messages.gene == ["a", "t2", "a"]  # a row without a gene stands for itself


def test_the_five_prime_part_is_kept(read):
    messages = read(max_length=9)
    assert texts_of(messages)[0] == "GGAUGAAAC"
    assert marked(messages, 0, CODON_START) == [2, 5, 8]
    assert marked(messages, 0, SPLICE_SITE) == [6]
    assert messages.length.tolist() == [9, 6, 6]


@pytest.mark.parametrize(("transform", "label"), [("none", [2, 4, 8]), ("log2", [1, 2, 3]), ("log", np.log([2, 4, 8]))])
def test_labels_are_transformed(read, transform, label):
    np.testing.assert_allclose(read(transform=transform).label[:, 0], label)


def test_the_last_base_is_that_of_the_final_exon_listed_or_not(read):
    for cell in ("6;14", "6;14;20", "6 14 20;", "6.0;14.0"):
        assert marked(read(TABLE.replace("6;14;20", cell)), 0, SPLICE_SITE) == [6, 14, 20]


# -- coding sequences --------------------------------------------------------------------------------------------


def test_a_stop_codon_behind_the_cds_is_counted_to_it(read, caplog):
    caplog.set_level(logging.INFO)
    messages = read(TABLE.replace(",17,", ",14,"))
    assert marked(messages, 0, CODON_START) == [2, 5, 8, 11, 14]
    assert "the stop codon of 1 of 2 CDS follows it" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("end", "codons", "words"),
    [(16, [2, 5, 8, 11], "1 of 2 CDS: it is not a multiple of three"), (11, [2, 5, 8], "1 of 2 CDS: it has no stop"),
     (4, [], "1 of 2 CDS: it is not a multiple of three")],
)  # fmt: skip
def test_an_odd_cds_is_a_warning_with_counts(read, caplog, end, codons, words):
    assert marked(read(TABLE.replace(",17,", f",{end},")), 0, CODON_START) == codons
    assert words in caplog.text


# -- genome and GTF ----------------------------------------------------------------------------------------------

# The message of t1 above in three exons; a codon and the stop codon cross a junction. Introns in small letters.
GENOME = "CCCCC" + "GGATGAA" + "gtag" + "ACCCGGGT" + "gtccag" + "AATTTT" + "CC"
MINUS = GENOME[::-1].translate(str.maketrans("ACGTacgt", "TGCAtgca"))
GENES = f">chr1 forward\n{GENOME[:10]}\n{GENOME[10:]}\n>chr2\n{MINUS}\n>chr3\nACGT\n"
PLUS_PARTS = [
    ("exon", 6, 12, "."), ("exon", 17, 24, "."), ("exon", 31, 36, "."),
    ("CDS", 8, 12, 0), ("CDS", 17, 23, 1), ("stop_codon", 24, 24, 0), ("stop_codon", 31, 32, 2),
]  # fmt: skip
MINUS_PARTS = [
    ("exon", 27, 33, "."), ("exon", 15, 22, "."), ("exon", 3, 8, "."),
    ("CDS", 27, 31, 0), ("CDS", 16, 22, 1), ("stop_codon", 15, 15, 0), ("stop_codon", 7, 8, 2),
]  # fmt: skip
WITH_GTF = "id,value\nm,4\np,2\n"
TEXT = "GGAUGAAACCCGGGUAAUUUUNNN"


def gtf_of(plus=PLUS_PARTS, minus=MINUS_PARTS):
    """Return a GTF file of transcripts p and m, and another that is not in any table."""
    lines = ["#!genome-build tiny", 'chr1\tx\tgene\t6\t36\t.\t+\t.\tgene_id "G1";']
    for chromosome, strand, name, parts in (("chr1", "+", "p", plus), ("chr2", "-", "m", minus)):
        for kind, start, end, frame in parts:
            attributes = f'gene_id "G{name}"; note "a; b"; transcript_id "{name}"; exon_number 1;'
            lines.append(f"{chromosome}\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t{frame}\t{attributes}")
    lines.append('chr9\tx\texon\t1\t9\t.\t+\t.\tgene_id "G9"; transcript_id "other";')
    return "\n".join(lines) + "\n"


def changed(parts, *pairs):
    """Return GTF parts of which some are replaced, or left out (None)."""
    pairs = dict(pairs)
    return [part for part in (pairs.get(place, part) for place, part in enumerate(parts)) if part]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_message_is_read_from_both_strands(read, suffix):
    messages = read(WITH_GTF, GENES, gtf_of(), suffix)
    assert messages.id == ["m", "p"]
    assert messages.gene == ["Gm", "Gp"]
    assert messages.label[:, 0].tolist() == [4, 2]
    assert texts_of(messages) == [TEXT, TEXT]
    for row in (0, 1):
        assert marked(messages, row, CODON_START) == [2, 5, 8, 11, 14]
        assert marked(messages, row, SPLICE_SITE) == [6, 14, 20]
    assert len(messages.files) == 3


def test_the_order_of_the_lines_is_of_no_matter(read):
    shuffled = read(WITH_GTF, GENES, gtf_of(PLUS_PARTS[::-1], MINUS_PARTS[3:] + MINUS_PARTS[:3]))
    assert np.array_equal(shuffled.codes, read(WITH_GTF, GENES, gtf_of()).codes)


@pytest.mark.parametrize("kind", ["no stop codon feature", "stop in the CDS", "both"])
def test_the_stop_codon_belongs_to_the_cds_however_the_gtf_lists_it(read, kind, caplog):
    plus, minus = PLUS_PARTS, MINUS_PARTS
    if kind == "no stop codon feature":
        plus, minus = plus[:5], minus[:5]
    else:
        stops = [("CDS", 17, 24, 1), ("CDS", 31, 32, 2)], [("CDS", 15, 22, 1), ("CDS", 7, 8, 2)]
        plus, minus = ([*parts[:4], *stop] for parts, stop in zip((plus, minus), stops, strict=True))
        if kind == "both":
            plus, minus = plus + PLUS_PARTS[5:], minus + MINUS_PARTS[5:]
    with caplog.at_level("WARNING"):
        messages = read(WITH_GTF, GENES, gtf_of(plus, minus))
    assert [marked(messages, row, CODON_START) for row in (0, 1)] == [[2, 5, 8, 11, 14]] * 2
    assert not caplog.text


@pytest.mark.parametrize(("frame", "second", "codons"), [(1, 2, [3, 6, 9, 12]), (2, 0, [4, 7, 10, 13])])
def test_a_cds_that_begins_within_a_codon_is_read_from_its_first_whole_codon(read, frame, second, codons):
    """GTF column 8: bases before the first whole codon of a part."""
    plus = changed(PLUS_PARTS, (3, ("CDS", 8, 12, frame)), (4, ("CDS", 17, 23, second)))
    minus = changed(MINUS_PARTS, (3, ("CDS", 27, 31, frame)), (4, ("CDS", 16, 22, second)))
    messages = read(WITH_GTF, GENES, gtf_of(plus, minus))
    assert [marked(messages, row, CODON_START) for row in (0, 1)] == [codons] * 2


def test_several_reading_frames_are_a_warning(read, caplog):
    read(WITH_GTF, GENES, gtf_of(changed(PLUS_PARTS, (4, ("CDS", 17, 23, 2)))))
    assert "1 of 2 CDS: it is annotated in several reading frames" in caplog.text


@pytest.mark.parametrize("seed", range(20))
def test_random_exons_are_joined_as_base_by_base(seed):
    """The same from a walk over single bases, on either strand."""
    rng = np.random.default_rng(seed)
    chromosome, strand = random_text(rng, 400), "+-"[seed % 2]
    cuts = np.sort(rng.choice(np.arange(1, 400), 2 * int(rng.integers(1, 8)), replace=False))
    exons = [(int(start), int(end)) for start, end in cuts.reshape(-1, 2)]
    walk = [place for start, end in exons for place in range(start, end)][:: 1 if strand == "+" else -1]
    complement = dict(zip("ACGT", "ACGT" if strand == "+" else "TGCA", strict=True))
    start = int(rng.integers(0, len(walk)))
    end = int(rng.integers(start, len(walk))) + 1
    coding = set(walk[start:end])
    frame_of = {place: -step % 3 for step, place in enumerate(walk[start:end])}
    cds = []
    for first, last in exons:
        inside = [place for place in range(first, last) if place in coding]
        if inside:
            head = inside[0] if strand == "+" else inside[-1]
            cds.append((inside[0], inside[-1] + 1, frame_of[head]))
    rng.shuffle(cds)
    found = splice(Annotation("1", strand, "g", exons, cds), bytearray(chromosome.encode()), "t")
    assert found.text == "".join(complement[chromosome[place]] for place in walk)
    assert found.cds == (start, end)
    assert found.one_frame
    neighbours = zip(walk, [*walk[1:], -9], strict=True)
    assert list(found.exon_ends) == [step for step, (one, other) in enumerate(neighbours) if abs(one - other) > 1]


def test_a_transcript_without_a_cds_has_exons_only(read):
    messages = read(WITH_GTF, GENES, gtf_of(PLUS_PARTS[:3], MINUS_PARTS[:1]))
    assert not marked(messages, 1, CODON_START)
    assert marked(messages, 1, SPLICE_SITE) == [6, 14, 20]
    assert texts_of(messages)[0] == "GGAUGAA" + "N" * 17
    assert marked(messages, 0, SPLICE_SITE) == [6]


WRONG_GTF = {
    "outside the chromosome": (gtf_of(changed(PLUS_PARTS, (2, ("exon", 31, 39, ".")))), "chr1 has 38 nt"),
    "overlap": (gtf_of(changed(PLUS_PARTS, (1, ("exon", 12, 24, ".")))), "overlap"),
    "outside the exons": (gtf_of(changed(PLUS_PARTS, (4, ("CDS", 16, 23, 1)))), "p: its CDS"),
    "before the exons": (gtf_of(changed(PLUS_PARTS, (3, ("CDS", 2, 12, 0)))), "p: its CDS"),
    "no exon": (gtf_of(PLUS_PARTS[3:]), "p: has no exon"),
    "backwards": (gtf_of(changed(PLUS_PARTS, (0, ("exon", 12, 6, ".")))), "exon of p: from 12 to 6"),
    "zero": (gtf_of(changed(PLUS_PARTS, (0, ("exon", 0, 6, ".")))), "from 0 to 6"),
    "frame": (gtf_of(changed(PLUS_PARTS, (3, ("CDS", 8, 12, 3)))), "frame 3"),
    "strand": (gtf_of().replace("\t+\t", "\t?\t"), "strand ?"),
    "two strands": (gtf_of() + 'chr1\tx\texon\t1\t2\t.\t-\t.\tgene_id "a"; transcript_id "p";\n', "chr1- and on chr1+"),
    "number": (gtf_of(changed(PLUS_PARTS, (0, ("exon", "six", 9, ".")))), "not a readable GTF"),
    "columns": (gtf_of().replace("\t.\t+\t", "\t"), "1 of 2 rows have an id that is not in"),
    "bytes": (b"\xff\xfe\0\0", "not a readable GTF"),
    "unknown": (gtf_of().replace('"p"', '"q"'), "1 of 2 rows have an id that is not in"),
    "gff3": (gtf_of().replace('transcript_id "', "Parent=").replace('"', ""), "2 of 2 rows have an id that is not in"),
}  # fmt: skip


def test_only_wanted_lines_of_a_gtf_are_parsed(read, monkeypatch):
    """The lines of a whole annotation are many; how an attribute is written, and other attributes, do not matter."""
    parsed = []
    real = annotation.feature_from_line
    monkeypatch.setattr(annotation, "feature_from_line", lambda *a, **k: parsed.append(a[0]) or real(*a, **k))
    others = "".join(
        f'chr1\tx\texon\t1\t9\t.\t+\t.\tgene_id "o"; transcript_id "o{row}"; note "p";\n' for row in range(50)
    )
    unlike = (
        others + "#!genome\n" + gtf_of().replace("\n", "\r\n").replace("; transcript_id", '; tag "x"; transcript_id')
    )
    messages = read(WITH_GTF, GENES, unlike)
    assert len(set(parsed)) == len(PLUS_PARTS) + len(MINUS_PARTS)
    assert np.array_equal(messages.codes, read(WITH_GTF, GENES, gtf_of()).codes)


@pytest.mark.parametrize("kind", WRONG_GTF)
def test_a_wrong_gtf_is_one_line(read, one_line, kind):
    gtf, words = WRONG_GTF[kind]
    with pytest.raises(InputError) as raised:
        read(WITH_GTF, GENES, gtf)
    message = one_line(raised)
    assert "genes.gtf" in message
    assert words in message


def test_a_chromosome_that_is_not_in_the_genome_is_named(read, one_line):
    with pytest.raises(InputError) as raised:
        read(WITH_GTF, GENES.replace(">chr2", ">2"), gtf_of())
    assert "reads.fa: has no 'chr2', where m lies" in one_line(raised)


# -- bad input ---------------------------------------------------------------------------------------------------

WRONG_TABLE = {
    "unknown id": (TABLE + "t9,1,,,,\n", "1 of 4 rows have an id that is not in"),
    "empty id": (TABLE + ",1,,,,\n", "1 of 4 rows have an id that is not in"),
    "no label": (TABLE.replace("t2,4", "t2,"), "1 of 3 rows have no label (the first: t2)"),
    "nan": (TABLE.replace("t2,4", "t2,NaN"), "1 of 3 rows have no label (the first: t2)"),
    "infinite": (TABLE.replace("t2,4", "t2,inf"), "1 of 3 rows have no label (the first: t2)"),
    "word": (TABLE.replace("t2,4", "t2,long"), "value is 'long'"),
    "twice": (TABLE + "t1,1,,,,\n", "t1 is there twice"),
    "no value": (TABLE.replace("value", "hl"), "'value' is missing"),
    "no id": (TABLE.replace("id", "name"), "'id' is missing"),
    "no row": (TABLE.split("\n")[0] + "\n", "no row with a label and a sequence"),
    "nothing": ("", "not a readable table"),
    "cds start only": (TABLE.replace("2,17", "2,"), "t1: only one of cds_start and cds_end"),
    "cds end only": (TABLE.replace("2,17", ",17"), "t1: only one of cds_start and cds_end"),
    "cds too long": (TABLE.replace("2,17", "2,22"), "t1: CDS 2 to 22"),
    "cds negative": (TABLE.replace("2,17", "-1,17"), "t1: CDS -1 to 17"),
    "cds backwards": (TABLE.replace("2,17", "17,2"), "t1: CDS 17 to 2"),
    "cds word": (TABLE.replace("2,17", "two,17"), "t1: cds_start is 'two'"),
    "cds half": (TABLE.replace("2,17", "2.5,17"), "t1: cds_start is '2.5'"),
    "cds infinite": (TABLE.replace("2,17", "2,inf"), "t1: cds_end is 'inf'"),
    "cds two": (TABLE.replace("2,17", "2;3,17"), "t1: CDS 2;3 to 17"),
    "exons too long": (TABLE.replace("6;14;20", "6;14;21"), "t1: exon_ends 6;14;21"),
    "exons negative": (TABLE.replace("6;14;20", "-1;14"), "t1: exon_ends -1;14"),
    "exons out of order": (TABLE.replace("6;14;20", "14;6"), "t1: exon_ends 14;6"),
    "exons word": (TABLE.replace("6;14;20", "six"), "t1: exon_ends is 'six'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG_TABLE)
def test_a_wrong_table_is_one_line(read, one_line, kind):
    table, words = WRONG_TABLE[kind]
    with pytest.raises(InputError) as raised:
        read(table)
    message = one_line(raised)
    assert "rows.csv" in message
    assert words in message


WRONG_FASTA = {
    "letter": (FASTA.replace("ACGUNN", "ACGRNN"), "row 1 (t2): sequence: letter 'R'"),
    "space": (FASTA.replace("ACGUNN", "ACG NN"), "row 1 (t2): sequence: letter ' '"),
    "not ascii": (FASTA.replace("ACGUNN", "ACGé"), "row 1 (t2): sequence: letter"),
    "empty": (FASTA.replace("ACGUNN", ""), "row 1 (t2): empty sequence"),
    "twice": (FASTA + ">t2\nACGT\n", "t2 is there twice"),
    "table": (TABLE, "not a FASTA file"),
    "fastq": ("@t1\nACGT\n+\nIIII\n", "not a FASTA file"),
    "nothing": ("", "3 of 3 rows have an id that is not in"),
}


@pytest.mark.parametrize("kind", WRONG_FASTA)
def test_a_wrong_fasta_is_one_line(read, one_line, kind):
    fasta, words = WRONG_FASTA[kind]
    with pytest.raises(InputError) as raised:
        read(fasta=fasta)
    message = one_line(raised)
    assert "reads.fa" in message
    assert words in message


@pytest.mark.parametrize("name", ["reads.fa.gz", "rows.csv.gz", "genes.gtf.gz"])
@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: b"no gzip", lambda packed: b"\x1f\x8b"])
def test_a_damaged_gz_is_one_line(read, tmp_path, one_line, name, damage):
    rng = np.random.default_rng(0)
    rows = "".join(f"x{i},{rng.random()}\n" for i in range(500))
    names = {"reads.fa.gz": "source", "rows.csv.gz": "table", "genes.gtf.gz": "gtf"}
    read(WITH_GTF, GENES, gtf_of(), ".gz")
    paths = {key: str(tmp_path / file) for file, key in names.items()}
    path = tmp_path / "damaged" / name
    path.parent.mkdir()
    whole = {"source": GENES, "table": WITH_GTF + rows, "gtf": gtf_of()}[names[name]]
    path.write_bytes(damage(gzip.compress(whole.encode())))
    keys = {"reader": "transcripts", "output": "", **paths, names[name]: str(path)}
    with pytest.raises(InputError) as raised:
        read_transcripts(TranscriptSettings(**keys))
    assert f"damaged/{name}" in one_line(raised)


@pytest.mark.parametrize("key", ["source", "table", "gtf"])
def test_a_missing_file_is_named(read, tmp_path, one_line, key):
    read(WITH_GTF, GENES, gtf_of())
    files = {"source": "reads.fa", "table": "rows.csv", "gtf": "genes.gtf"}
    keys = {name: str(tmp_path / file) for name, file in files.items()}
    with pytest.raises(InputError) as raised:
        read_transcripts(TranscriptSettings(reader="transcripts", output="", **{**keys, key: str(tmp_path / "none")}))
    assert "none: no such file" in one_line(raised)


@pytest.mark.parametrize("key", ["gene", "cds_start", "cds_end", "exon_ends", "split", "fold"])
def test_a_column_that_the_config_names_must_be_there(read, one_line, key):
    with pytest.raises(InputError) as raised:
        read("id,value\nt1,2\nt2,4\n", **{f"{key}_column": "nowhere"})
    assert "'nowhere' is missing" in one_line(raised)


@pytest.mark.parametrize("value", ["0", "-3"])
def test_a_label_without_a_logarithm_is_an_error(read, one_line, value):
    table = TABLE.replace("t2,4", f"t2,{value}")
    with pytest.raises(InputError) as raised:
        read(table, transform="log2")
    assert f"t2: {value} has no logarithm" in one_line(raised)
    assert read(table).label[1, 0] == float(value)


def test_incomplete_rows_are_left_out_when_asked_for(read, caplog, one_line):
    table = TABLE.replace("t2,4", "t2,") + "t9,1,,,,\n"
    messages = read(table, incomplete="leave_out")
    assert messages.id == ["t1", "t3"]
    assert messages.gene == ["g1", "g1"]
    assert "1 of 4 rows have no label (the first: t2): left out" in caplog.text
    assert "1 of 3 rows have an id that is not in" in caplog.text
    with pytest.raises(InputError) as raised:
        read("id,value\nt1,\nt9,1\n", incomplete="leave_out")
    assert "no row with a label and a sequence" in one_line(raised)


# -- splits ------------------------------------------------------------------------------------------------------


def with_column(name, cells):
    """Return the table with one more column."""
    lines = TABLE.splitlines()
    return "\n".join([f"{lines[0]},{name}", *(f"{line},{cell}" for line, cell in zip(lines[1:], cells, strict=True))])


def test_a_split_of_the_table_is_used_as_it_is(read):
    assert read(with_column("split", ["test", "train", "valid"])).split.tolist() == ["test", "train", "valid"]


@pytest.mark.parametrize("folds", [(0, 3), ("0", "3")])
def test_folds_become_splits(read, folds):
    messages = read(with_column("fold", [3, 7, 0]), test_fold=folds[0], valid_fold=folds[1])
    assert messages.split.tolist() == ["valid", "train", "test"]


@pytest.mark.parametrize(
    ("column", "cells", "keys", "words"),
    [("split", ["test", "train", "val"], {}, "t3: split is 'val'"),
     ("split", ["test", "train", ""], {}, "t3: split is ''"),
     ("fold", [1, 2, 3], {}, "key 'test_fold' is ''; the table's folds are 1, 2, 3"),
     ("fold", [1, 2, 3], {"test_fold": 1, "valid_fold": 4}, "key 'valid_fold' is '4'"),
     ("fold", [1, 2, 3], {"test_fold": 1, "valid_fold": 1}, "are the same fold"),
     ("fold", [1, 2, ""], {"test_fold": 1, "valid_fold": 2}, "rows.csv: t3: has no fold"),
     ("fold,split", ["1,test", "2,train", "3,valid"], {"test_fold": 1, "valid_fold": 2}, "a split and a fold")],
)  # fmt: skip
def test_a_wrong_split_is_one_line(read, one_line, column, cells, keys, words):
    with pytest.raises(InputError) as raised:
        read(with_column(column, cells), **keys)
    assert words in one_line(raised)


def family_files(rng, families=40, copies=3):
    """Return FASTA and table of families of nearly identical messages; each message is of a gene of its own."""
    fasta, rows = [], []
    for family in range(families):
        text = random_text(rng)
        for copy in range(copies):
            place = int(rng.integers(0, 250))
            fasta.append(f">f{family}_{copy}\n{text[:place]}{random_text(rng, 15)}{text[place + 15 :]}")
            rows.append(f"f{family}_{copy},{family},g{family}_{copy}")
    return "\n".join(fasta), "\n".join(["id,value,gene", *rows])


def test_leaks_of_a_given_split_are_counted(read, caplog):
    fasta, table = family_files(np.random.default_rng(0))
    lines = table.splitlines()
    parts = ["train"] * 108 + ["valid"] * 6 + ["test"] * 6  # the last two families in test, those before in valid
    leaky = list(parts)
    leaky[-1], leaky[0] = "train", "test"  # of the last family two are in test, of the first one

    def read_with(names):
        rows = [f"{line},{name}" for line, name in zip(lines[1:], names, strict=True)]
        return read("\n".join([f"{lines[0]},split", *rows]), fasta, max_length=320)

    read_with(parts)
    assert not caplog.text
    read_with(leaky)
    assert "3 of 6 test rows are nearly identical to a training row" in caplog.text
    assert "same gene" not in caplog.text
    lines = [line.replace("g0_0", "g0_1") for line in lines]
    read_with(leaky)
    assert "1 of 6 test rows are of the same gene as a training row" in caplog.text


def test_drawn_splits_keep_families_and_genes_together(tmp_path):
    """Of 40 families of three, and of 60 genes of two messages each, none is in two splits; the seed decides."""
    rng = np.random.default_rng(1)
    fasta, table = family_files(rng)
    genes = [f"x{gene}" for gene in range(60) for _ in range(2)]
    fasta += "".join(f"\n>u{i}\n{random_text(rng)}" for i in range(120))
    table += "".join(f"\nu{i},{i},{gene}" for i, gene in enumerate(genes))
    (tmp_path / "m.fa").write_text(fasta)
    (tmp_path / "m.csv").write_text(table)
    keys = {"source": str(tmp_path / "m.fa"), "table": str(tmp_path / "m.csv"), "reader": "transcripts"}
    ids = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        more = {"max_length": 320, "valid_share": 0.2, "test_share": 0.2, "seed": seed}
        run(TranscriptSettings(**keys, output=str(tmp_path / f"{name}.h5"), **more))
        ids[name] = [read_split(tmp_path / f"{name}.h5", split).id for split in SPLITS]
        gene_of = {f"u{i}": gene for i, gene in enumerate(genes)}
        kin = [{gene_of.get(one, one.partition("_")[0]) for one in split} for split in ids[name]]
        assert sum(map(len, kin)) == len(set.union(*kin)) == 100
    assert ids["a"] == ids["b"] != ids["c"]


# -- the example -------------------------------------------------------------------------------------------------


def example_files():
    """Return FASTA and table of the committed example: random messages whose half-life UGUANAUA shortens."""
    rng = np.random.default_rng(1)

    def draw(length):
        return "".join(rng.choice(list("ACGT"), length))

    codons = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]
    fasta, rows = [], ["transcript,gene,half_life_h,cds_start,cds_end,exon_ends"]
    for gene in range(1, 49):
        utr5, utr3 = draw(rng.integers(30, 80)), draw(rng.integers(120, 360))
        cds = "ATG" + "".join(rng.choice(codons, rng.integers(40, 90))) + rng.choice(["TAA", "TAG", "TGA"])
        for site in rng.integers(0, len(utr3) - 8, rng.integers(0, 3)):
            utr3 = f"{utr3[:site]}TGTA{draw(1)}ATA{utr3[site + 8 :]}"
        for isoform in range(1, 3 if gene <= 12 else 2):
            text = utr5 + cds + (utr3 if isoform == 1 else utr3[: len(utr3) // 2])
            sites = sum(text[i : i + 4] == "TGTA" and text[i + 5 : i + 8] == "ATA" for i in range(len(text)))
            half_life = 2 ** (3 - 0.8 * sites + 0.3 * rng.normal())
            junction = len(utr5) + int(rng.integers(20, 90))
            name, start = f"tx{gene:02d}.{isoform}", len(utr5)
            lines = [text[i : i + 60] for i in range(0, len(text), 60)]
            fasta += [f">{name} synthetic", *lines]
            ends = f"{junction};{len(text) - 1}"
            rows.append(f"{name},gene{gene:02d},{half_life:.2f},{start},{start + len(cds)},{ends}")
    return "\n".join(fasta) + "\n", "\n".join(rows) + "\n"


def test_the_example_is_what_the_code_above_makes():
    fasta, table = example_files()
    assert (EXAMPLE / "transcripts.fa").read_text() == fasta
    assert (EXAMPLE / "half_lives.csv").read_text() == table
    assert len(fasta) + len(table) < 50_000


def test_the_example_is_built_as_typed(tmp_path, caplog):
    main(["--config", str(CONFIG), f"output={tmp_path / 'set.h5'}"])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    splits = [read_split(tmp_path / "set.h5", name) for name in SPLITS]
    assert sum(map(len, splits)) == 60
    genes = [{name[:4] for name in split.id} for split in splits]
    assert sum(map(len, genes)) == len(set.union(*genes)) == 48
    for split in splits:
        assert split.tracks == 6
        coding = split.codes >> CODON_START & 1
        assert (coding.sum(axis=1) > 40).all()
        assert ((split.codes >> SPLICE_SITE & 1).sum(axis=1) == 2).all()


def test_every_key_of_the_example_config_is_commented():
    keys = load_settings(TranscriptSettings, CONFIG).model_fields_set
    assert keys == set(TranscriptSettings.model_fields)
    for line in CONFIG.read_text().splitlines():
        assert "#" in line or line.startswith("output:")
