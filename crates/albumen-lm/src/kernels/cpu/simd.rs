//! Loops compiled for several instruction sets, the widest one chosen at run time.

#![expect(
    clippy::inline_always,
    reason = "compiled anew within each instruction set"
)]

use std::sync::OnceLock;

/// What the processor has and `ALBUMEN_CPU` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each instruction set"
)]
pub(crate) struct Features {
    /// AVX2 and FMA.
    pub(crate) avx2: bool,
    /// AVX-512 F, BW, DQ and VL.
    pub(crate) avx512: bool,
    /// AVX512-BF16.
    pub(crate) bf16: bool,
    /// AVX512-VNNI.
    pub(crate) vnni: bool,
}

/// The features of this process, found once. `ALBUMEN_CPU=f32` leaves out bf16, `ALBUMEN_CPU=avx2`
/// all of AVX-512.
pub(crate) fn features() -> Features {
    static FEATURES: OnceLock<Features> = OnceLock::new();
    *FEATURES.get_or_init(|| detect(std::env::var("ALBUMEN_CPU").ok().as_deref()))
}

#[cfg(target_arch = "x86_64")]
fn detect(limit: Option<&str>) -> Features {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2
        && limit != Some("avx2")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    let bf16 = avx512 && limit != Some("f32") && is_x86_feature_detected!("avx512bf16");
    let vnni = avx512 && is_x86_feature_detected!("avx512vnni");
    Features {
        avx2,
        avx512,
        bf16,
        vnni,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect(_limit: Option<&str>) -> Features {
    Features {
        avx2: false,
        avx512: false,
        bf16: false,
        vnni: false,
    }
}

/// Defines a function whose body is compiled for AVX-512, AVX2 and the baseline.
macro_rules! simd {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    body($($arg),*)
                }
                let features = $crate::kernels::cpu::simd::features();
                if features.avx512 {
                    // SAFETY: `features` saw every instruction set that the function enables.
                    return unsafe { avx512($($arg),*) };
                }
                if features.avx2 {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(crate) use simd;

/// Numbers in one AVX-512 register; sums run over so many lanes.
pub(crate) const LANES: usize = 16;

/// e^x to about 2 units in the last place (the polynomial of Cephes' expf, Moshier 1992), 0 below
/// -87. Written without branches, so that loops over it vectorise.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let c = x.clamp(-87.0, 88.0);
    let shifted = c.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let f = (-n).mul_add(0.693_359_4, c);
    let f = (-n).mul_add(-2.121_944_4e-4, f);
    let mut p = 1.987_569_1e-4_f32;
    for k in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = p.mul_add(f, k);
    }
    let r = p.mul_add(f * f, f) + 1.0;
    // The low bits of `shifted` are the integer n; as a float's exponent it is 2^n.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { r * power }
}

/// `sum_i f(a_i, b_i)`, in an order that depends on the length only.
#[inline(always)]
pub(crate) fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let mut s = [0.0_f32; 2 * LANES];
    let (a_main, a_rest) = a.as_chunks::<{ 2 * LANES }>();
    let (b_main, b_rest) = b.as_chunks::<{ 2 * LANES }>();
    for (a, b) in a_main.iter().zip(b_main) {
        for j in 0..2 * LANES {
            s[j] = f(s[j], a[j], b[j]);
        }
    }
    let mut rest = 0.0;
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        rest = f(rest, a, b);
    }
    let mut width = LANES;
    while width > 0 {
        for j in 0..width {
            s[j] += s[j + width];
        }
        width /= 2;
    }
    s[0] + rest
}

/// The largest number.
#[inline(always)]
pub(crate) fn max(x: &[f32]) -> f32 {
    let mut m = [f32::NEG_INFINITY; LANES];
    let (main, rest) = x.as_chunks::<LANES>();
    for x in main {
        for j in 0..LANES {
            m[j] = if x[j] > m[j] { x[j] } else { m[j] };
        }
    }
    m.iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}
