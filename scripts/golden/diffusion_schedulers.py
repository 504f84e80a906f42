"""Writes crates/albumen-diffusion/tests/golden/schedulers.json: whole trajectories of diffusers'
schedulers over a fixed function instead of a network.

The function is `0.6 sin(2 x + t / 300)` of the scaled sample x and the timestep t, so that a wrong
sample, scale or timestep shows in all that follows. Samples are 6 numbers; step i of an ancestral
sampler adds row i of `noise`.

Seed 20261126. Made with Python 3.11, torch 2.15.0, diffusers 0.42.1:
    python scripts/golden/diffusion_schedulers.py
"""

import json
from pathlib import Path

import diffusers
import torch
from diffusers.schedulers import scheduling_euler_ancestral_discrete as ancestral

OUT = Path(__file__).parents[2] / "crates/albumen-diffusion/tests/golden/schedulers.json"
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
V = dict(prediction_type="v_prediction")

CASES = [
    ("DDIMScheduler", 10, dict(clip_sample=False, set_alpha_to_one=False, steps_offset=1, **SD)),
    ("DDIMScheduler", 7, dict(clip_sample=False, timestep_spacing="trailing", **SD, **V)),
    ("DDIMScheduler", 5, dict(timestep_spacing="linspace", clip_sample_range=1.5)),
    ("DDIMScheduler", 6, dict(clip_sample=False, prediction_type="sample", **SD)),
    (
        "DDIMScheduler", 8,
        dict(clip_sample=False, rescale_betas_zero_snr=True, timestep_spacing="trailing", **SD, **V),
    ),
    ("EulerDiscreteScheduler", 10, dict(timestep_spacing="leading", steps_offset=1, **SD)),
    ("EulerDiscreteScheduler", 6, dict(timestep_spacing="trailing", **SD, **V)),
    ("EulerDiscreteScheduler", 7, dict(**SD)),
    ("EulerDiscreteScheduler", 9, dict(use_karras_sigmas=True, **SD)),
    ("EulerDiscreteScheduler", 5, dict(use_exponential_sigmas=True, final_sigmas_type="sigma_min")),
    ("EulerDiscreteScheduler", 6, dict(prediction_type="sample", **SD)),
    (
        "EulerDiscreteScheduler", 6,
        dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", **SD, **V),
    ),
    ("EulerAncestralDiscreteScheduler", 4, dict(timestep_spacing="trailing", **SD)),
    ("EulerAncestralDiscreteScheduler", 8, dict(timestep_spacing="leading", steps_offset=1, **SD)),
    ("EulerAncestralDiscreteScheduler", 6, dict(**SD, **V)),
    ("DPMSolverMultistepScheduler", 10, dict(**SD)),
    ("DPMSolverMultistepScheduler", 20, dict(use_karras_sigmas=True, **SD)),
    ("DPMSolverMultistepScheduler", 6, dict(solver_order=3, timestep_spacing="trailing", **SD)),
    ("DPMSolverMultistepScheduler", 18, dict(solver_order=3, final_sigmas_type="sigma_min", **SD)),
    ("DPMSolverMultistepScheduler", 8, dict(solver_type="heun", timestep_spacing="leading", **SD, **V)),
    ("DPMSolverMultistepScheduler", 5, dict(solver_order=1, use_exponential_sigmas=True)),
    ("DPMSolverMultistepScheduler", 16, dict(euler_at_final=True, beta_schedule="squaredcos_cap_v2")),
    ("DPMSolverMultistepScheduler", 1, dict(**SD)),
    ("UniPCMultistepScheduler", 10, dict(**SD)),
    (
        "UniPCMultistepScheduler", 8,
        dict(solver_order=3, solver_type="bh1", final_sigmas_type="sigma_min", **SD),
    ),
    ("UniPCMultistepScheduler", 12, dict(solver_order=3, use_karras_sigmas=True, **SD, **V)),
    ("UniPCMultistepScheduler", 7, dict(disable_corrector=[1, 2], timestep_spacing="trailing", **SD)),
    (
        "UniPCMultistepScheduler", 6,
        dict(final_sigmas_type="sigma_min", timestep_spacing="leading", steps_offset=1, **SD),
    ),
    ("PNDMScheduler", 10, dict(skip_prk_steps=True, steps_offset=1, **SD)),
    ("PNDMScheduler", 6, dict(skip_prk_steps=True, set_alpha_to_one=True, **SD, **V)),
    ("PNDMScheduler", 5, dict(skip_prk_steps=True, timestep_spacing="trailing", **SD)),
    ("PNDMScheduler", 2, dict(skip_prk_steps=True, timestep_spacing="linspace", **SD)),
]  # fmt: skip


def model(x, t):
    return 0.6 * torch.sin(2 * x + t / 300)


def run(name, steps, config, start, noise):
    scheduler = getattr(diffusers, name)(**config)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    rows = iter(noise)
    ancestral.randn_tensor = lambda *_, **__: next(rows)[None]
    sample = start[None] * scheduler.init_noise_sigma
    samples = []
    for t in scheduler.timesteps:
        scaled = scheduler.scale_model_input(sample, t)
        sample = scheduler.step(model(scaled, float(t)), t, sample).prev_sample
        samples.append([round(float(x), 6) for x in sample[0]])
    return {
        "class": name,
        "steps": steps,
        "config": config,
        "timesteps": [round(float(t), 4) for t in scheduler.timesteps],
        "initial_scale": float(scheduler.init_noise_sigma),
        "samples": samples,
    }


def main():
    generator = torch.Generator().manual_seed(20261126)
    start = torch.randn(6, generator=generator)
    noise = torch.randn(8, 6, generator=generator)
    out = {
        "start": start.tolist(),
        "noise": noise.tolist(),
        "cases": [run(*case, start, noise) for case in CASES],
    }
    OUT.write_text(json.dumps(out, separators=(",", ":"), allow_nan=False) + "\n")


main()
