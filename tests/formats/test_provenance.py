"""Where a model comes from, in words: what is not said of it, what no plan foresaw, and data that differ."""

import pytest

from gsr_tf.formats.provenance import data_notes, fingerprints, trained_how

RECORDS = {"--source_records": {"path": "casia2", "pictures": 5}, "--target_records": {"path": "coco", "pictures": 6}}
DATA = "casia2 (5 pictures), coco (6 pictures)"


def said(settings=None, **metadata):
    """What is said of an export of a run of seven steps from VGG-16, with changes to its settings and metadata."""
    config = {"steps": 7, "initial_weights": "", "vgg16_weights": "imagenet", **(settings or {})}
    return trained_how({"config": config, "records": RECORDS, **metadata})


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({}, "VGG-16 imagenet"),
        ({"resnet_weights": "r.h5"}, "VGG-16 imagenet, ResNet r.h5"),
        ({"resnet50_weights": "random"}, "VGG-16 imagenet, ResNet-50 v2 random"),
        ({"initial_weights": "w.npz"}, "w.npz"),
        ({"release_checkpoint": "c"}, "the authors' checkpoint"),
    ],
)
def test_what_training_began_from(settings, start):
    assert said(settings) == f"trained on {DATA} for 7 steps from {start}"


def test_what_began_from_nothing_began_from_random_weights():
    assert trained_how({"config": {"steps": 7, "initial_weights": ""}, "records": RECORDS}).endswith(
        " for 7 steps from random weights"
    )


def test_records_of_which_nothing_is_said_are_unknown():
    assert said(records={"--target_records": {"path": "coco", "pictures": 6}}) == (
        "trained on coco (6 pictures) for 7 steps from VGG-16 imagenet"
    )
    assert said(records={}) == "trained on unknown records for 7 steps from VGG-16 imagenet"
    assert said(attributes=[], records={}, learnt_from=["--target_records"]) == (
        "EXIF-SC (our training, unknown photos, attributes none), trained on unknown records for 7 steps from VGG-16 "
        "imagenet"
    )
    config = {"steps": 7, "initial_weights": "w.npz"}
    assert trained_how({"config": config, "attributes": ["Model"]}).startswith(
        "EXIF-SC (our training, unknown photos, attributes Model), trained on unknown records for"
    )


@pytest.mark.parametrize(
    ("metadata", "steps"),
    [({"steps": 6}, "6 of 7 steps"), ({"steps": 9}, "9 steps"), ({"checkpoint": "checkpoints/ckpt-5"}, "7 steps")],
)
def test_steps_are_those_done_and_of_a_plan_where_it_is_not_fulfilled(metadata, steps):
    assert said(**metadata) == f"trained on {DATA} for {steps} from VGG-16 imagenet"


def test_a_run_that_planned_steps_and_has_done_none_is_not_trained_here():
    assert said(steps=0) == "VGG-16 imagenet, not trained here"


def test_an_edge_threshold_of_0_is_one():
    assert said(edge_threshold=0.0, edge_threshold_chosen_by="validation").endswith(
        "VGG-16 imagenet, edge threshold 0 chosen by validation"
    )


def test_fingerprints_are_of_both_sets_or_not_said():
    records = {"--target_records": {"fingerprint": "t"}, "--source_records": {"path": "x"}, "--records": {}}
    assert fingerprints({"records": records}) == {"--source_records": "not said", "--target_records": "t"}
    assert fingerprints({}) == {"--source_records": "not said", "--target_records": "not said"}


def test_rows_of_the_same_data_are_named_together():
    def row(source, target):
        return {"--source_records": source, "--target_records": target}

    same = {"DL": row("a", "t"), "DL + G": row("a", "t")}
    assert data_notes(same) == data_notes({}) == []
    begins = "Rows differ in their training data, too. Fingerprints of"
    assert data_notes({**same, "GS": row("b", "u"), "GSR": row("a", "u")}) == [
        f"{begins} --source_records: DL, DL + G, GSR: a; GS: b.",
        f"{begins} --target_records: DL, DL + G: t; GS, GSR: u.",
    ]
