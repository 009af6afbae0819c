"""The command that trains other methods: which flags each has, and what it says of a method that is not there."""

import pytest

from gsr_tf import config, train, train_comparator

TITLES = ("mfcn: MFCN", "sfcn: SFCN", "rgbn: RGB-N", "exif-sc: EXIF-consistency", "dih: DIH")


@pytest.mark.parametrize(
    ("named", "has", "lacks"),
    [
        ([], "--edge_weight", "--lambda_adv"),
        (["--method=mfcn"], "--edge_weight", "--brightness"),
        (["--method=rgbn"], "--anchor_scales", "--edge_weight"),
        (["--flagfile=comparators/rgbn"], "--anchor_scales", "--edge_weight"),
        (["--method=exif-sc"], "--patches_across", "--edge_weight"),
        (["--method=dih"], "--brightness", "--edge_weight"),
    ],
)
def test_help_has_the_settings_of_the_method_that_is_named(named, has, lacks, capsys):
    assert train_comparator.main(["train_comparator", *named, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"{has}:" in said and lacks not in said


def test_help_has_the_flagfiles_of_these_methods_alone(capsys):
    assert train_comparator.main(["train_comparator", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"comparators/{title}" in said for title in TITLES) and "table3/cp_s" not in said
    assert train.main(["train", "--help"]) == 0
    assert "comparators/sfcn" not in capsys.readouterr().out


@pytest.mark.parametrize("given", [["--method=dih"], ["-method", "dih"], ["--run_dir", "run", "--method", "dih"]])
def test_a_method_may_be_named_in_each_way_of_giving_a_flag(given, capsys):
    assert train_comparator.main(["train_comparator", *given, "--help"]) == 0
    assert "--network_size" in capsys.readouterr().out


@pytest.mark.parametrize("kind", config.KINDS.values())
def test_help_shows_every_setting_once(kind):
    shown = [name for group in config.groups(kind) for name in group.names]
    assert sorted(shown) == sorted(["run_dir", *kind.names()])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method=nope"], "--method=nope: expected one of mfcn, rgbn, exif-sc, dih"),
        (["--method=nope", "--run_dir=run"], "--method=nope: expected one of mfcn, rgbn, exif-sc, dih"),
        (["--method=", "--run_dir=run"], "--method= is empty; expected a value"),
        (["--run_dir", "run", "--method", "nope"], "--method=nope: expected one of mfcn, rgbn, exif-sc, dih"),
        (["--flagfile=comparators/dihh"], "--flagfile=comparators/dihh: no such file"),
        (["--flagfile=comparators/rgbm", "--run_dir=run"], "nearest of those: comparators/rgbn"),
        (["--flagfile=comparators/dih", "--edge_weight=1", "--run_dir=run"], "edge_weight"),
    ],
)
def test_what_is_not_there_is_named(arguments, message, capsys):
    assert train_comparator.main(["train_comparator", *arguments]) == 2
    assert message in capsys.readouterr().err
