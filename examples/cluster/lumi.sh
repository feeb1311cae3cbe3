#!/bin/bash
# 256 ranks on LUMI-G: 32 nodes, 8 GCDs (half an MI250X each) a node, one rank a GCD. README.md explains each line.
#   sbatch lumi.sh recipe.yaml
#SBATCH --job-name=aurora
#SBATCH --account=project_465000000
#SBATCH --partition=standard-g
#SBATCH --nodes=32
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --mem=480G
#SBATCH --time=48:00:00
#SBATCH --signal=TERM@600
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -euo pipefail
recipe=${1:?usage: sbatch lumi.sh recipe.yaml}

module load LUMI partition/G rocm aws-ofi-rccl
export PATH=/project/$SLURM_JOB_ACCOUNT/node/bin:$PATH
export LD_LIBRARY_PATH=${EBROOTAWSMINOFIMINRCCL:?the module aws-ofi-rccl is not loaded}/lib:${LD_LIBRARY_PATH:-}

MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
AURORA_JOB_TOKEN=$(openssl rand -hex 32)
export MASTER_ADDR AURORA_JOB_TOKEN
export AURORA_HOST=hsn0
export AURORA_NUM_THREADS=7
export NCCL_SOCKET_IFNAME=hsn0,hsn1,hsn2,hsn3
export NCCL_NET_GDR_LEVEL=3

# The cores beside each GCD, in order of GCDs 0 to 7, without the first of each eight.
masks=fe000000000000,fe00000000000000,fe0000,fe000000,fe,fe00,fe00000000,fe0000000000

exec srun --kill-on-bad-exit=1 --label --cpu-bind=mask_cpu:$masks \
  bash -c 'export ROCR_VISIBLE_DEVICES=$SLURM_LOCALID; exec npx aurora run "$0" --resume' "$recipe"
