#!/bin/bash
# 32 ranks on a Slurm cluster of H100 machines: 4 nodes of 8 GPUs, one rank a GPU. README.md explains each line.
#   sbatch h100.sh recipe.yaml
#SBATCH --job-name=aurora
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -euo pipefail
recipe=${1:?usage: sbatch h100.sh recipe.yaml}

MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
AURORA_JOB_TOKEN=$(openssl rand -hex 32)
export MASTER_ADDR AURORA_JOB_TOKEN
export AURORA_NUM_THREADS=$SLURM_CPUS_PER_TASK
# Names of the machines' interfaces: ip -brief address. InfiniBand is found by NCCL itself.
export NCCL_SOCKET_IFNAME=${NCCL_SOCKET_IFNAME:-ib,eth}

exec srun --kill-on-bad-exit=1 --label --cpus-per-task="$SLURM_CPUS_PER_TASK" --cpu-bind=cores \
  bash -c 'export CUDA_VISIBLE_DEVICES=$SLURM_LOCALID; exec npx aurora run "$0" --resume' "$recipe"
