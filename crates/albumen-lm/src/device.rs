//! A model on the device that a configuration names, chosen at run time.

use std::fmt;
use std::str::FromStr;

use crate::config::ModelConfig;
use crate::decode::{DecodeOptions, Generation, Prefix, Request};
use crate::error::LmError;
use crate::gradient::{Budget, Example};
use crate::kernels::{Candle, Cpu, Precision};
use crate::lora::{Adapter, LoraLayout};
use crate::model::Lm;
use crate::sequence::Sequence;
use crate::states::{PrefixStates, StateFormat};
use crate::weights::Weights;

/// What computes: written `cpu`, `cuda`, `cuda:1` or `metal`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// The processor, by the `cpu` kernels.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(usize),
    /// The Apple GPU.
    Metal,
}

impl Device {
    /// Whether this build has the kernels for it. Says nothing of the machine.
    pub fn is_compiled_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda(_) => cfg!(feature = "cuda"),
            Self::Metal => cfg!(feature = "metal"),
        }
    }

    /// Fails where the device is not in this build or the machine has none.
    ///
    /// # Errors
    /// [`LmError::NoDevice`], naming the feature to build with.
    pub fn check(self) -> Result<(), LmError> {
        self.open().map(drop)
    }

    /// candle's device, for models that are its own.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn candle(self) -> Result<candle_core::Device, LmError> {
        Ok(self.open()?.unwrap_or(candle_core::Device::Cpu))
    }

    /// The candle device; `None` for the `cpu` kernels.
    fn open(self) -> Result<Option<candle_core::Device>, LmError> {
        let refuse = |reason| LmError::NoDevice {
            device: self,
            reason,
        };
        let (feature, open): (_, fn(usize) -> _) = match self {
            Self::Cpu => return Ok(None),
            Self::Cuda(_) => ("cuda", candle_core::Device::new_cuda),
            Self::Metal => ("metal", candle_core::Device::new_metal),
        };
        if !self.is_compiled_in() {
            return Err(refuse(format!(
                "this build is without it; build with `cargo build --release --features {feature}`, or take device \"cpu\""
            )));
        }
        let number = if let Self::Cuda(number) = self {
            number
        } else {
            0
        };
        match open(number) {
            Ok(device) => Ok(Some(device)),
            Err(e) => Err(refuse(format!(
                "the machine refuses ({e}); check the driver and the number, or take device \"cpu\""
            ))),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for Device {
    type Err = LmError;

    fn from_str(text: &str) -> Result<Self, LmError> {
        let number = |n: &str| n.parse().ok().filter(|_| !n.starts_with('+'));
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            None if text == "metal" => Ok(Self::Metal),
            Some(("cuda", n)) if number(n).is_some() => Ok(Self::Cuda(number(n).unwrap_or(0))),
            _ => Err(LmError::DeviceName(text.into())),
        }
    }
}

/// A frozen language model on some device.
pub enum AnyLm {
    /// On the processor.
    Cpu(Lm<Cpu>),
    /// On a candle device.
    Candle(Lm<Candle>),
}

/// Keys and values that stand before requests and sequences; see [`Prefix`].
pub enum AnyPrefix {
    /// Of a model on the processor.
    Cpu(Prefix<Cpu>),
    /// Of a model on a candle device.
    Candle(Prefix<Candle>),
}

/// The same call on either kind of model, with a prefix of the same kind where one is named.
macro_rules! either {
    ($any:expr, $prefix:expr, ($lm:ident, $p:ident) => $call:expr) => {
        match ($any, $prefix) {
            (AnyLm::Cpu($lm), None) => {
                let $p = None;
                $call
            }
            (AnyLm::Candle($lm), None) => {
                let $p = None;
                $call
            }
            (AnyLm::Cpu($lm), Some(AnyPrefix::Cpu(p))) => {
                let $p = Some(p);
                $call
            }
            (AnyLm::Candle($lm), Some(AnyPrefix::Candle(p))) => {
                let $p = Some(p);
                $call
            }
            _ => Err(LmError::Decoding(
                "the prefix was made on another device".into(),
            )),
        }
    };
    ($any:expr, $lm:ident => $call:expr) => {
        match $any {
            AnyLm::Cpu($lm) => $call,
            AnyLm::Candle($lm) => $call,
        }
    };
}

impl From<Lm<Cpu>> for AnyLm {
    fn from(lm: Lm<Cpu>) -> Self {
        Self::Cpu(lm)
    }
}

impl From<Lm<Candle>> for AnyLm {
    fn from(lm: Lm<Candle>) -> Self {
        Self::Candle(lm)
    }
}

impl AnyLm {
    /// Lays `weights` out for a device.
    ///
    /// # Errors
    /// [`LmError::NoDevice`], or as [`Lm::with_kernels`].
    pub fn new(weights: Weights, device: Device, precision: Precision) -> Result<Self, LmError> {
        Ok(match device.open()? {
            None => Lm::new(weights, precision)?.into(),
            Some(device) => Lm::with_kernels(weights, Candle::new(device, precision))?.into(),
        })
    }

    /// Shape and features.
    pub fn config(&self) -> &ModelConfig {
        either!(self, lm => lm.config())
    }

    /// See [`Lm::losses`].
    ///
    /// # Errors
    /// As there.
    pub fn losses(
        &self,
        adapter: Option<Adapter<'_>>,
        before: Option<&AnyPrefix>,
        examples: &[Example<'_>],
        budget: Budget,
    ) -> Result<Vec<f32>, LmError> {
        either!(self, before, (lm, p) => lm.losses(adapter, p, examples, budget))
    }

    /// See [`Lm::gradients`].
    ///
    /// # Errors
    /// As there.
    pub fn gradients(
        &self,
        adapter: Adapter<'_>,
        before: Option<&AnyPrefix>,
        units: &[Vec<Example<'_>>],
        budget: Budget,
        sink: &mut dyn FnMut(usize, &[f32], f32),
    ) -> Result<(), LmError> {
        either!(self, before, (lm, p) => lm.gradients(adapter, p, units, budget, sink))
    }

    /// See [`Lm::prefix_states`].
    ///
    /// # Errors
    /// As there.
    pub fn prefix_states(
        &self,
        layout: &LoraLayout,
        before: Option<&AnyPrefix>,
        sequences: &[&Sequence],
        format: StateFormat,
        budget: Budget,
    ) -> Result<Vec<PrefixStates>, LmError> {
        either!(self, before, (lm, p) => lm.prefix_states(layout, p, sequences, format, budget))
    }

    /// See [`Lm::prefix`].
    ///
    /// # Errors
    /// As there.
    pub fn prefix(
        &self,
        adapter: Option<Adapter<'_>>,
        tokens: &[u32],
    ) -> Result<AnyPrefix, LmError> {
        Ok(match self {
            Self::Cpu(lm) => AnyPrefix::Cpu(lm.prefix(adapter, tokens)?),
            Self::Candle(lm) => AnyPrefix::Candle(lm.prefix(adapter, tokens)?),
        })
    }

    /// See [`Lm::generate`].
    ///
    /// # Errors
    /// As there, and where the prefix is of a model on another device.
    pub fn generate(
        &self,
        adapter: Option<Adapter<'_>>,
        prefix: Option<&AnyPrefix>,
        requests: &[Request],
        options: &DecodeOptions,
        sink: &mut dyn FnMut(usize, usize, Generation),
    ) -> Result<(), LmError> {
        either!(self, prefix, (lm, p) => lm.generate(adapter, p, requests, options, sink))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn names_of_devices() {
        for (name, device) in [
            ("cpu", Device::Cpu),
            ("cuda", Device::Cuda(0)),
            ("cuda:1", Device::Cuda(1)),
            ("metal", Device::Metal),
        ] {
            assert_eq!(name.parse::<Device>().unwrap(), device);
            assert_eq!(device.to_string(), name);
        }
        for name in [
            "", "CPU", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cpu:0", "metal:0",
        ] {
            let error = name.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("cpu, cuda, cuda:1 or metal"), "{error}");
        }
    }

    #[test]
    fn a_device_that_is_not_compiled_in_names_the_feature() {
        for (device, feature) in [(Device::Cuda(1), "cuda"), (Device::Metal, "metal")] {
            if !device.is_compiled_in() {
                let error = device.check().unwrap_err().to_string();
                assert!(error.contains(&format!("--features {feature}")), "{error}");
            }
        }
        Device::Cpu.check().unwrap();
    }
}
