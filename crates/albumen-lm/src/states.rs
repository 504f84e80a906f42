//! Hidden states below the first adapted layer, computed once for each sequence.

use half::bf16;

use crate::error::LmError;

/// How cached states are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFormat {
    /// 2 bytes a number; 8 bits of precision, the range of f32.
    Bf16,
    /// 4 bytes a number, exact.
    F32,
}

impl StateFormat {
    /// Size of one number.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::F32 => 4,
        }
    }
}

/// The hidden states of one sequence as they enter the first adapted layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PrefixStates {
    layer: usize,
    width: usize,
    format: StateFormat,
    /// Little-endian numbers, row by row.
    data: Vec<u8>,
}

/// Marks the byte form and its version.
const MAGIC: [u8; 4] = *b"AST1";
/// Magic, layer, width, format, each 4 bytes.
const HEADER_BYTES: usize = 16;

impl PrefixStates {
    pub(crate) fn new(layer: usize, width: usize, format: StateFormat, states: &[f32]) -> Self {
        let data = match format {
            StateFormat::Bf16 => states
                .iter()
                .flat_map(|&x| bf16::from_f32(x).to_le_bytes())
                .collect(),
            StateFormat::F32 => states.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        Self {
            layer,
            width,
            format,
            data,
        }
    }

    /// The layer that the states enter.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// Width of the residual stream.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Tokens.
    pub fn rows(&self) -> usize {
        self.data.len() / (self.width * self.format.number_bytes())
    }

    /// Appends the states to `to`, row by row.
    pub(crate) fn read(&self, to: &mut Vec<f32>) {
        match self.format {
            StateFormat::Bf16 => {
                let (numbers, _) = self.data.as_chunks::<2>();
                to.extend(numbers.iter().map(|&b| bf16::from_le_bytes(b).to_f32()));
            }
            StateFormat::F32 => {
                let (numbers, _) = self.data.as_chunks::<4>();
                to.extend(numbers.iter().map(|&b| f32::from_le_bytes(b)));
            }
        }
    }

    /// The states as bytes, for [`PrefixStates::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.data.len());
        bytes.extend(MAGIC);
        for n in [self.layer, self.width, self.format.number_bytes()] {
            bytes.extend((n as u32).to_le_bytes());
        }
        bytes.extend(&self.data);
        bytes
    }

    /// States from what [`PrefixStates::to_bytes`] gave.
    ///
    /// # Errors
    /// Where the bytes are cut short or not states.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LmError> {
        let refuse = |why: &str| LmError::States(why.into());
        let (header, data) = bytes
            .split_at_checked(HEADER_BYTES)
            .ok_or_else(|| refuse("their header is cut short"))?;
        let (words, _) = header.as_chunks::<4>();
        let [layer, width, number] =
            [1, 2, 3].map(|i: usize| u32::from_le_bytes(words[i]) as usize);
        let format = match number {
            2 => StateFormat::Bf16,
            4 => StateFormat::F32,
            _ => return Err(refuse("they are not states")),
        };
        if words[0] != MAGIC || width == 0 {
            return Err(refuse("they are not states"));
        }
        if !data.len().is_multiple_of(width * number) {
            return Err(refuse("they are cut short"));
        }
        Ok(Self {
            layer,
            width,
            format,
            data: data.to_vec(),
        })
    }
}

impl StateFormat {
    fn number_bytes(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::F32 => 4,
        }
    }
}
