#!/usr/bin/env bash
# He's initialization, uniform and drawn in bfloat16, does not keep the signal of a wide ReLU network.
#
# Expected: a uniform law that is symmetric about 0 has mean 0 in bfloat16 too; rounding weights to 8 bits adds a little noise.
# Happens:  PyTorch draws more finely than bfloat16 can hold, rounds, and puts the LOWER bound in the place of what was rounded
#     up to the upper one, which a half-open interval may not hold. So torch.rand is exactly 0 once in 512 draws, and the
#     largest weights of kaiming_uniform_ or a fresh nn.Linear become the most negative ones: the mean is -0.2 to
#     -0.3 % of the std. That is nothing for one weight, but the same for all, so it grows with the square root of the width: 10 layers
#     of 4096 units halve the signal. normal_ is not affected, and to draw in float32 and then round is right.
# Matters:  bfloat16 is the usual dtype of large, that is wide, models, and uniform the default of nn.Linear.
# Documented: that the interval is half-open, not what follows from it.
# Needs:    Python 3.11, with which it was run; any build of PyTorch, on the CPU.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet torch==2.13.0 numpy==2.4.6

cat > expected <<'END'
torch 2.13.0
torch.rand, 2^24 draws in bfloat16: 0 exactly once in 512, mean 0.498
kaiming_uniform_, 4096 units: mean / std of the weights, then rms after 10 ReLU layers
float32, rounded to bfloat16     0.000  0.98
bfloat16                        -0.003  0.46
END

env/bin/python > seen <<'END'
import torch

print("torch", torch.__version__.split("+")[0])
torch.manual_seed(0)
draws = torch.rand(2**24, dtype=torch.bfloat16)
once_in = len(draws) / (draws == 0).sum().item()
print(f"torch.rand, 2^24 draws in bfloat16: 0 exactly once in {once_in:.0f}, mean {draws.double().mean():.3f}")
print("kaiming_uniform_, 4096 units: mean / std of the weights, then rms after 10 ReLU layers")
for name, dtype in [("float32, rounded to bfloat16", torch.float32), ("bfloat16", torch.bfloat16)]:
    torch.manual_seed(0)
    signal = torch.randn(16, 4096)
    means = []
    for _ in range(10):
        weight = torch.empty(4096, 4096, dtype=dtype)
        torch.nn.init.kaiming_uniform_(weight, nonlinearity="relu")
        weight = weight.bfloat16().float()
        means.append((weight.mean(dtype=torch.float64) / weight.std()).item())
        signal = torch.relu(signal @ weight.T)
    print(f"{name:30} {round(sum(means) / 10, 3) + 0:7.3f}  {signal.square().mean().sqrt():.2f}")
END
cat seen
diff expected seen
