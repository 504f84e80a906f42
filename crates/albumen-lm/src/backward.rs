//! One layer's backward pass, written out. Names are those of the forward pass in `crate::model`;
//! dx is the gradient of the loss with respect to x.

use std::ops::Range;

use crate::error::LmError;
use crate::kernels::Kernels;
use crate::lora::Site;
use crate::model::{Angles, DeviceAdapter, Lm, Saved, Seen};

/// What all layers of one backward pass share.
pub(crate) struct Pass<'a, K: Kernels> {
    pub(crate) seen: Seen<'a, K>,
    pub(crate) angles: &'a Angles<K>,
    pub(crate) adapter: &'a DeviceAdapter<'a, K>,
    /// The rows of each unit.
    pub(crate) units: &'a [Range<usize>],
    /// (units, parameters).
    pub(crate) gradients: &'a mut K::Matrix,
}

impl<K: Kernels> Lm<K> {
    /// From the gradient of a layer's output to that of its input, (n, h), writing each unit's LoRA
    /// gradients on the way. In the lowest adapted layer it stops at the lowest adapted site and
    /// gives nothing.
    pub(crate) fn layer_backward(
        &self,
        index: usize,
        saved: Saved<K>,
        g: K::Matrix,
        pass: &mut Pass<'_, K>,
    ) -> Result<Option<K::Matrix>, LmError> {
        let (k, l, act) = (&self.kernels, &self.layers[index], self.config.activation);
        let layout = pass.adapter.adapter.layout;
        let sites = layout.sites(index);
        let lowest = index == layout.first_layer();

        // out = m + norm(down(z)), z = gate(gate_up)
        let d_raw = self.output_norm_backward(&g, saved.mlp_output, l.mlp_output_norm.as_ref())?;
        let d_down = d_raw.as_ref().unwrap_or(&g);
        let z = || k.gate(&saved.gate_up, act);
        let sites_below = sites.qkv.is_some() || sites.o.is_some();
        let more = !lowest || sites_below || sites.gate_up.is_some();
        let down = (sites.down.as_ref(), saved.u_down.as_ref());
        let Some(dz) = self.project_backward(d_down, &l.down, down, z, more, pass)? else {
            return Ok(None);
        };
        drop(d_raw);
        let d_gate_up = k.gate_backward(&saved.gate_up, &dz, act)?; // (n, 2 i)
        drop((dz, saved.gate_up));

        // gate_up = W norm(m)
        let x = || k.rms_norm_again(&saved.m, &saved.m_inverse, &l.mlp_norm);
        let gate_up = (sites.gate_up.as_ref(), saved.u_gate_up.as_ref());
        let more = !lowest || sites_below;
        let Some(dx) = self.project_backward(&d_gate_up, &l.gate_up, gate_up, x, more, pass)?
        else {
            return Ok(None);
        };
        drop(d_gate_up);
        let dm = k.rms_norm_backward(&saved.m, &saved.m_inverse, &l.mlp_norm, &dx, Some(g))?;
        drop((dx, saved.m, saved.m_inverse));

        // m = h + norm(o(y))
        let norm = l.attention_output_norm.as_ref();
        let d_raw = self.output_norm_backward(&dm, saved.attention_output, norm)?;
        let d_o = d_raw.as_ref().unwrap_or(&dm);
        let y = || k.copy(&saved.y);
        let o = (sites.o.as_ref(), saved.u_o.as_ref());
        let more = !lowest || sites.qkv.is_some();
        let Some(dy) = self.project_backward(d_o, &l.o, o, y, more, pass)? else {
            return Ok(None);
        };
        drop(d_raw);

        // y = attention(rope(norm(qkv)))
        let (shape, seen) = (&l.shape, pass.seen);
        let (runs, before) = (seen.runs, seen.before(index));
        let mut d_qkv =
            k.attention_backward(&saved.qkv, before, &saved.log_sum, &dy, shape, runs)?;
        drop(dy);
        k.rope(&mut d_qkv, shape, pass.angles.of(l), true)?;
        if let (Some((raw, inverse)), Some((wq, wk))) = (&saved.heads, &l.head_norms) {
            k.head_norm_backward(&mut d_qkv, raw, inverse, shape, (wq, wk))?;
        }

        // qkv = W norm(h)
        let x = || k.rms_norm_again(&saved.h, &saved.h_inverse, &l.input_norm);
        let qkv = (sites.qkv.as_ref(), saved.u_qkv.as_ref());
        let Some(dx) = self.project_backward(&d_qkv, &l.qkv, qkv, x, !lowest, pass)? else {
            return Ok(None);
        };
        let dh = k.rms_norm_backward(&saved.h, &saved.h_inverse, &l.input_norm, &dx, Some(dm))?;
        Ok(Some(dh))
    }

    /// The gradient of an output norm's input; nothing where there is no norm.
    fn output_norm_backward(
        &self,
        g: &K::Matrix,
        saved: Option<(K::Matrix, K::Matrix)>,
        norm: Option<&K::Matrix>,
    ) -> Result<Option<K::Matrix>, LmError> {
        let Some(((raw, inverse), norm)) = saved.zip(norm) else {
            return Ok(None);
        };
        self.kernels
            .rms_norm_backward(&raw, &inverse, norm, g, None)
            .map(Some)
    }

    /// Backward of `model::project`: writes the site's LoRA gradients, and gives the gradient of the
    /// input where `more` is below. `x` makes the input again.
    fn project_backward(
        &self,
        g: &K::Matrix,
        w: &K::Weight,
        (site, u): (Option<&Site>, Option<&K::Matrix>),
        x: impl FnOnce() -> Result<K::Matrix, LmError>,
        more: bool,
        pass: &mut Pass<'_, K>,
    ) -> Result<Option<K::Matrix>, LmError> {
        let (k, a) = (&self.kernels, pass.adapter);
        let mut d_u = None;
        if let Some((site, u)) = site.zip(u) {
            let du = k.lora_backward(g, &a.params, site, a.scale)?; // (n, blocks * rank)
            // A frozen A needs no x.
            let x = (a.scale.frozen == 0).then(x).transpose()?;
            let of_a = x.as_ref().map(|x| (x, &du));
            k.lora_gradients(of_a, u, g, site, a.scale, pass.units, pass.gradients)?;
            d_u = Some((site, du));
        }
        if !more {
            return Ok(None);
        }
        let mut dx = k.linear_backward(g, w)?;
        if let Some((site, du)) = d_u {
            k.lora_input(&du, &a.params, site, &mut dx)?;
        }
        Ok(Some(dx))
    }
}
