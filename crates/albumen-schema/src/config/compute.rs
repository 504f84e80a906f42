//! Where the language model runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number format of products with frozen weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComputePrecision {
    /// 32-bit floating point.
    F32,
    /// bfloat16 operands where the hardware has them, else `f32`.
    #[default]
    Bf16,
}

/// `[compute]`: where the language model runs. These settings stand apart from those of the
/// mechanism: they may be changed between stages and repeat none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ComputeConfig {
    /// `cpu`, `cuda`, `cuda:1` or `metal`, for training and sampling. Summaries are always written
    /// on the processor, whose kernels give an album the same summary whatever other albums there
    /// are.
    #[schemars(
        regex(pattern = r"^(cpu|metal|cuda(:[0-9]{1,3})?)$"),
        extend("x-form" = "`cpu`, `cuda`, `cuda:1` (the second GPU) or `metal`")
    )]
    pub device: String,
    /// Number format of products with the frozen weights. Devices other than `cpu` train in `f32`
    /// whatever stands here, and sample in this.
    pub precision: ComputePrecision,
    /// Memory of the device, in GiB. Where given, a run in which a stage cannot fit is refused before
    /// anything loads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        range(max = 1_000_000),
        extend("exclusiveMinimum" = 0, "x-usual" = "24 and 80 are usual")
    )]
    pub memory_gib: Option<f64>,
}

impl Default for ComputeConfig {
    fn default() -> Self {
        Self {
            device: "cpu".to_owned(),
            precision: ComputePrecision::default(),
            memory_gib: None,
        }
    }
}
