#!/bin/sh
# Makes the shipped weights, gsr-net-coco, from nothing: twelve training runs, one after the other, and five means.
#
#   sh flags/shipped/make.sh records/coco records/coco_held_out records/all records/objects models
#
# Run it from the top folder of the repository. The arguments are the records of the COCO photographs that the first
# ten runs learn from (python -m data_prep.coco), the records of photographs that are held out to validate on, the
# records of these and more photographs for the last two runs, for the twelfth with objects alone
# (gsr_tf/weights/MODEL_CARD.md), and the folder for the results; the last of these is OUTPUT/gsr-net-coco.npz. With
# --dry-run before the arguments it prints its commands and does nothing. PYTHON names another interpreter than
# .venv/bin/python.
#
# The ten runs take about six hours on 2 CPU cores, the eleventh eight minutes on an H200 (it is not for CPUs), the
# twelfth forty minutes on 2 cores. Ctrl-C stops it and the same command goes on: a run continues from its last
# checkpoint, and what has been made is not made again.
#
# The weights come out like the shipped ones, not equal to them bit for bit: threads add in another order in each run,
# the second run was trained in three stretches then (02_retouched.cfg), copy-moves and shapes were drawn from other
# random numbers, and in the eleventh run other examples were scaled and turned.
set -eu

dry_run=false
if [ "${1:-}" = --dry-run ]; then
    dry_run=true
    shift
fi
if [ $# -ne 5 ] || [ ! -e flags/shipped/make.sh ]; then
    echo "usage, in the repository's top folder: sh flags/shipped/make.sh [--dry-run] RECORDS HELD_OUT ALL OBJECTS OUTPUT" >&2
    exit 2
fi
records=$1 held_out=$2 all=$3 objects=$4 m=$5
python=${PYTHON:-.venv/bin/python}

run() {
    echo "$*"
    $dry_run || "$@"
}

is_there() {
    [ -e "$1" ] && echo "$1 exists: skipped"
}

# result NAME RESULT [EXPORT FLAGS]: exports RESULT.npz of the run flags/shipped/NAME.cfg.
result() {
    name=$1 made=$m/$2.npz
    shift 2
    if is_there "$made"; then return; fi
    run "$python" -m gsr_tf.export --run_dir="$m/runs/$name" --checkpoint=newest --format=weights --size=288 \
        "$@" --output="$made"
}

# step RECORDS NAME START RESULT [EXPORT FLAGS]: trains flags/shipped/NAME.cfg from START.npz (from ImageNet where it
# is "-") and exports RESULT.npz. TEACHERS, where it is set, is a flag of the training.
step() {
    learnt=$1 name=$2 start=$3 made=$4
    shift 4
    if is_there "$m/$made.npz"; then return; fi
    initial=
    [ "$start" = - ] || initial=--initial_weights=$m/$start.npz
    run "$python" -m gsr_tf.train --flagfile="flags/shipped/$name.cfg" --run_dir="$m/runs/$name" \
        ${initial:+"$initial"} ${teachers:+"$teachers"} --source_records="$learnt" --target_records="$learnt" \
        --validation_records="$held_out" --validation_targets="$held_out"
    result "$name" "$made" "$@"
}

teachers=
step "$records" 01_plain               -              01_plain
step "$records" 02_retouched           01_plain       02_retouched
step "$records" 03_copy_moves          02_retouched   second_weights --average_with="$m/02_retouched.npz"
step "$records" 04_short               second_weights 04_short
step "$records" 05_short_whole_regions second_weights 05_short_whole_regions
step "$records" 06_short_shapes        second_weights 06_short_shapes
step "$records" 07_whole_regions       second_weights third_weights \
    --average_with="$m/04_short.npz,$m/05_short_whole_regions.npz,$m/06_short_shapes.npz"
step "$records" 08_authentic           third_weights  08_authentic
step "$records" 09_wide_windows        third_weights  09_wide_windows
step "$records" 10_whole_pictures      third_weights  fourth_weights \
    --average_with="$m/third_weights.npz,$m/08_authentic.npz,$m/09_wide_windows.npz"
step "$all"     11_on_a_gpu            -              11_on_a_gpu
result          11_on_a_gpu            fifth_weights  --average_with="$m/fourth_weights.npz"
teachers=--teachers=$m/fourth_weights.npz,$m/11_on_a_gpu.npz
step "$objects" 12_taught              fifth_weights  12_taught
five=$m/12_taught.npz,$m/12_taught.npz,$m/12_taught.npz,$m/12_taught.npz  # with the run itself: five parts in six
result          12_taught              gsr-net-coco   --average_with="$five,$m/fourth_weights.npz" --centre=0.26
