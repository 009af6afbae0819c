#!/bin/bash
# Trains one run on two nodes with one GPU each. In the repository's top folder, with the flags of gsr_tf.train:
#
#   sbatch deploy/slurm_train.sh --flagfile=gsr_net --run_dir=runs/gsr_net \
#       --source_records=records/casia2 --target_records=records/coco
#
# Change the lines below to what your cluster offers; sbatch's own flags go before them, as in sbatch --nodes=4 ...
#SBATCH --job-name=gsr_tf
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --time=1-00:00:00
# Five minutes before the time is over all workers are told to stop, and save.
#SBATCH --signal=TERM@300
# After a preemption or the loss of a node Slurm starts the job again, and the run goes on.
#SBATCH --requeue
#SBATCH --open-mode=append

srun "${PYTHON:-.venv/bin/python}" -m gsr_tf.train "$@"
code=$?
if [ "$code" = 143 ]; then # stopped by SIGTERM, and saved
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
