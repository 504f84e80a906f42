//! Text-to-image: frozen public diffusion models in the layout of diffusers.
