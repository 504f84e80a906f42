//! `unet/config.json`.

use serde::Deserialize;

use crate::checkpoint::Component;
use crate::error::{DiffusionError, Result};

/// One number for all blocks, or one each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum PerBlock {
    All(usize),
    Each(Vec<usize>),
}

impl PerBlock {
    fn at(&self, block: usize) -> Option<usize> {
        match self {
            Self::All(n) => Some(*n),
            Self::Each(list) => list.get(block).copied(),
        }
    }
}

/// The file as it is, with the defaults of diffusers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the file's own keys")]
struct File {
    in_channels: usize,
    out_channels: usize,
    center_input_sample: bool,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    mid_block_type: Option<String>,
    only_cross_attention: serde_json::Value,
    dual_cross_attention: bool,
    block_out_channels: Vec<usize>,
    layers_per_block: PerBlock,
    downsample_padding: usize,
    mid_block_scale_factor: f64,
    act_fn: String,
    norm_num_groups: usize,
    norm_eps: f64,
    cross_attention_dim: PerBlock,
    transformer_layers_per_block: serde_json::Value,
    reverse_transformer_layers_per_block: Option<serde_json::Value>,
    attention_head_dim: PerBlock,
    use_linear_projection: bool,
    class_embed_type: Option<String>,
    num_class_embeds: Option<usize>,
    encoder_hid_dim_type: Option<String>,
    addition_embed_type: Option<String>,
    addition_time_embed_dim: Option<usize>,
    projection_class_embeddings_input_dim: Option<usize>,
    upcast_attention: bool,
    resnet_time_scale_shift: String,
    resnet_out_scale_factor: f64,
    time_embedding_type: String,
    time_cond_proj_dim: Option<usize>,
    attention_type: String,
    conv_in_kernel: usize,
    conv_out_kernel: usize,
}

impl Default for File {
    fn default() -> Self {
        let types = |list: [&str; 4]| list.map(str::to_owned).to_vec();
        Self {
            in_channels: 4,
            out_channels: 4,
            center_input_sample: false,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            down_block_types: types([CROSS_DOWN, CROSS_DOWN, CROSS_DOWN, DOWN]),
            up_block_types: types([UP, CROSS_UP, CROSS_UP, CROSS_UP]),
            mid_block_type: Some("UNetMidBlock2DCrossAttn".into()),
            only_cross_attention: false.into(),
            dual_cross_attention: false,
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: PerBlock::All(2),
            downsample_padding: 1,
            mid_block_scale_factor: 1.0,
            act_fn: "silu".into(),
            norm_num_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: PerBlock::All(1280),
            transformer_layers_per_block: 1.into(),
            reverse_transformer_layers_per_block: None,
            attention_head_dim: PerBlock::All(8),
            use_linear_projection: false,
            class_embed_type: None,
            num_class_embeds: None,
            encoder_hid_dim_type: None,
            addition_embed_type: None,
            addition_time_embed_dim: None,
            projection_class_embeddings_input_dim: None,
            upcast_attention: false,
            resnet_time_scale_shift: "default".into(),
            resnet_out_scale_factor: 1.0,
            time_embedding_type: "positional".into(),
            time_cond_proj_dim: None,
            attention_type: "default".into(),
            conv_in_kernel: 3,
            conv_out_kernel: 3,
        }
    }
}

const DOWN: &str = "DownBlock2D";
const CROSS_DOWN: &str = "CrossAttnDownBlock2D";
const UP: &str = "UpBlock2D";
const CROSS_UP: &str = "CrossAttnUpBlock2D";

/// Transformers of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttentionConfig {
    /// Heads; the file calls them `attention_head_dim`.
    pub(crate) heads: usize,
    /// Transformer blocks in each.
    pub(crate) depth: usize,
    /// Width of the text's states.
    pub(crate) text_width: usize,
    /// Whether the way in and out is a linear layer rather than a convolution.
    pub(crate) linear: bool,
    /// Whether scores are formed in f32.
    pub(crate) upcast: bool,
}

/// One block of the way down, or up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockConfig {
    pub(crate) channels: usize,
    /// Residual blocks on the way down; one more on the way up.
    pub(crate) layers: usize,
    pub(crate) down: Option<AttentionConfig>,
    pub(crate) up: Option<AttentionConfig>,
}

/// What SDXL's network is told beside the text's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdditionConfig {
    /// Width of the sinusoids of each size.
    pub(crate) time_width: usize,
    /// Width of pooled text and sinusoids together.
    pub(crate) input_width: usize,
}

/// A UNet in the form of this crate.
#[derive(Clone, Debug)]
pub(crate) struct UnetConfig {
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) center_input: bool,
    pub(crate) cosine_first: bool,
    pub(crate) freq_shift: f64,
    pub(crate) downsample_padding: usize,
    pub(crate) groups: usize,
    pub(crate) eps: f64,
    /// From the full size down.
    pub(crate) blocks: Vec<BlockConfig>,
    pub(crate) mid: AttentionConfig,
    pub(crate) addition: Option<AdditionConfig>,
}

impl UnetConfig {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] and [`DiffusionError::Unsupported`].
    pub(crate) fn read(component: &Component) -> Result<Self> {
        if let Some(class) = component.class()
            && class != "UNet2DConditionModel"
        {
            return Err(component.unsupported("the network", class, "UNet2DConditionModel"));
        }
        let file: File = component.config()?;
        check(&file, component)?;
        let blocks = file.block_out_channels.len();
        let misfit = |what: &str| DiffusionError::Config {
            path: component.file().into(),
            reason: format!("{what} does not give a number for each of {blocks} blocks"),
        };
        if blocks < 2
            || file.down_block_types.len() != blocks
            || file.up_block_types.len() != blocks
        {
            return Err(misfit("down_block_types or up_block_types"));
        }
        let depths = Depths::of(&file, component)?;
        let attention = |block: usize, depth: Option<usize>| {
            Ok::<_, DiffusionError>(AttentionConfig {
                heads: file
                    .attention_head_dim
                    .at(block)
                    .ok_or_else(|| misfit("attention_head_dim"))?,
                depth: depth.ok_or_else(|| misfit("transformer_layers_per_block"))?,
                text_width: file
                    .cross_attention_dim
                    .at(block)
                    .ok_or_else(|| misfit("cross_attention_dim"))?,
                linear: file.use_linear_projection,
                upcast: file.upcast_attention,
            })
        };
        let with = |cross: bool, block, depth| {
            let attention = cross.then(|| attention(block, depth));
            attention.transpose()
        };
        let list = (0..blocks).map(|i| {
            let down = kind(&file.down_block_types[i], [DOWN, CROSS_DOWN], component)?;
            let up = kind(
                &file.up_block_types[blocks - 1 - i],
                [UP, CROSS_UP],
                component,
            )?;
            Ok(BlockConfig {
                channels: file.block_out_channels[i],
                layers: file
                    .layers_per_block
                    .at(i)
                    .ok_or_else(|| misfit("layers_per_block"))?,
                down: with(down, i, depths.down(i))?,
                up: with(up, i, depths.up(i, blocks))?,
            })
        });
        let addition = match (
            file.addition_embed_type.as_deref(),
            file.addition_time_embed_dim,
            file.projection_class_embeddings_input_dim,
        ) {
            (Some(_), Some(time_width), Some(input_width)) => Some(AdditionConfig {
                time_width,
                input_width,
            }),
            (Some(_), ..) => {
                return Err(DiffusionError::Config {
                    path: component.file().into(),
                    reason: "text_time needs addition_time_embed_dim and \
                             projection_class_embeddings_input_dim"
                        .into(),
                });
            }
            (None, ..) => None,
        };
        Ok(Self {
            in_channels: file.in_channels,
            out_channels: file.out_channels,
            center_input: file.center_input_sample,
            cosine_first: file.flip_sin_to_cos,
            freq_shift: file.freq_shift,
            downsample_padding: file.downsample_padding,
            groups: file.norm_num_groups,
            eps: file.norm_eps,
            blocks: list.collect::<Result<_>>()?,
            mid: attention(blocks - 1, depths.down(blocks - 1))?,
            addition,
        })
    }
}

/// Transformer blocks in each attention, by block of the way down and up.
struct Depths {
    down: PerBlock,
    up: Option<PerBlock>,
}

impl Depths {
    fn of(file: &File, component: &Component) -> Result<Self> {
        let read = |value: &serde_json::Value| {
            serde_json::from_value(value.clone()).map_err(|_| {
                component.unsupported(
                    "transformer_layers_per_block",
                    value,
                    "a number, or one a block",
                )
            })
        };
        Ok(Self {
            down: read(&file.transformer_layers_per_block)?,
            up: file
                .reverse_transformer_layers_per_block
                .as_ref()
                .map(read)
                .transpose()?,
        })
    }

    fn down(&self, block: usize) -> Option<usize> {
        self.down.at(block)
    }

    fn up(&self, block: usize, blocks: usize) -> Option<usize> {
        match &self.up {
            Some(up) => up.at(blocks - 1 - block),
            None => self.down.at(block),
        }
    }
}

/// Whether a block is the second of `kinds`: the one with attention.
fn kind(name: &str, kinds: [&str; 2], component: &Component) -> Result<bool> {
    match kinds.iter().position(|known| *known == name) {
        Some(i) => Ok(i == 1),
        None => Err(component.unsupported("the block", name, &kinds.join(", "))),
    }
}

fn check(file: &File, component: &Component) -> Result<()> {
    let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
    let only_cross = match &file.only_cross_attention {
        serde_json::Value::Array(list) => list.iter().any(|v| v.as_bool() == Some(true)),
        value => value.as_bool() == Some(true),
    };
    let addition = optional(&file.addition_embed_type);
    if !["none", "text_time"].contains(&addition.as_str()) {
        return Err(component.unsupported("addition_embed_type", addition, "text_time, none"));
    }
    let settings = [
        ("act_fn", file.act_fn.clone(), "silu"),
        (
            "mid_block_type",
            optional(&file.mid_block_type),
            "UNetMidBlock2DCrossAttn",
        ),
        ("only_cross_attention", only_cross.to_string(), "false"),
        (
            "dual_cross_attention",
            file.dual_cross_attention.to_string(),
            "false",
        ),
        ("class_embed_type", optional(&file.class_embed_type), "none"),
        (
            "num_class_embeds",
            file.num_class_embeds.unwrap_or(0).to_string(),
            "0",
        ),
        (
            "encoder_hid_dim_type",
            optional(&file.encoder_hid_dim_type),
            "none",
        ),
        (
            "resnet_time_scale_shift",
            file.resnet_time_scale_shift.clone(),
            "default",
        ),
        (
            "time_embedding_type",
            file.time_embedding_type.clone(),
            "positional",
        ),
        ("attention_type", file.attention_type.clone(), "default"),
        (
            "mid_block_scale_factor",
            file.mid_block_scale_factor.to_string(),
            "1",
        ),
        (
            "resnet_out_scale_factor",
            file.resnet_out_scale_factor.to_string(),
            "1",
        ),
        (
            "time_cond_proj_dim",
            file.time_cond_proj_dim.unwrap_or(0).to_string(),
            "0",
        ),
        ("conv_in_kernel", file.conv_in_kernel.to_string(), "3"),
        ("conv_out_kernel", file.conv_out_kernel.to_string(), "3"),
    ];
    match settings.iter().find(|(_, found, needed)| found != needed) {
        Some((what, found, needed)) => Err(component.unsupported(what, found, needed)),
        None => Ok(()),
    }
}
