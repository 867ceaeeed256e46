"""What is measured, in the order of the output; each function gives one figure.

Those of `ON_A_GPU` are passed over where there is none.
"""

from bench.abd import abd_run, sr_step, vaccine_search
from bench.checkpoint import checkpoint
from bench.gpu import ood_batch_cuda, teacher_batch_cuda, zskt_cycle_cuda
from bench.orchestration import orchestration
from bench.teacher import teacher_epoch
from bench.zskt import sv_added, zskt_cycle_bf16, zskt_cycle_compiled, zskt_cycle_fp32

FIGURES = (
    zskt_cycle_fp32,
    zskt_cycle_bf16,
    zskt_cycle_compiled,
    sv_added,
    sr_step,
    abd_run,
    vaccine_search,
    teacher_epoch,
    checkpoint,
    orchestration,
    zskt_cycle_cuda,
    ood_batch_cuda,
    teacher_batch_cuda,
)
ON_A_GPU = (zskt_cycle_cuda, ood_batch_cuda, teacher_batch_cuda)
