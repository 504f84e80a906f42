/// A private value under seal.
///
/// It cannot be printed, cloned, compared, serialised or dereferenced; [`Sensitive::map`] keeps the
/// seal on. The three ways to break it are disallowed methods (see clippy.toml), so each use carries
/// its reason in an `#[expect]`, and the list of those is the audit list.
///
/// # Guarantee
/// None by itself: the seal keeps private values from leaving by accident, it adds no noise.
///
/// ```compile_fail,E0277
/// let album = albumen_dp::Sensitive::new("a private summary");
/// println!("{album:?}");
/// ```
/// ```compile_fail,E0277
/// let album = albumen_dp::Sensitive::new("a private summary");
/// println!("{album}");
/// ```
/// ```compile_fail,E0599
/// let album = albumen_dp::Sensitive::new(String::from("a private summary"));
/// let copy = album.clone();
/// ```
/// ```compile_fail,E0277
/// fn serialise<T: serde::Serialize>(_: &T) {}
/// serialise(&albumen_dp::Sensitive::new(3_u32));
/// ```
/// ```compile_fail,E0614
/// let count = albumen_dp::Sensitive::new(3_u32);
/// let leaked: u32 = *count;
/// ```
/// ```compile_fail,E0616
/// let count = albumen_dp::Sensitive::new(3_u32);
/// let leaked: u32 = count.value;
/// ```
/// ```compile_fail,E0369
/// let count = albumen_dp::Sensitive::new(3_u32);
/// assert!(count == albumen_dp::Sensitive::new(3_u32));
/// ```
pub struct Sensitive<T> {
    value: T,
}

impl<T> Sensitive<T> {
    /// Puts a private value under seal.
    pub fn new(value: T) -> Self {
        Self { value }
    }

    /// Computes on the value; the result is private too. `f` must have no other outlet.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Sensitive<U> {
        Sensitive::new(f(self.value))
    }

    /// The same seal around a reference (not the trait's: that would hand out a bare one).
    pub fn as_ref(&self) -> Sensitive<&T> {
        Sensitive::new(&self.value)
    }

    /// Breaks the seal. Disallowed by clippy.toml: each use states why nothing private leaves.
    pub fn expose(&self) -> &T {
        &self.value
    }

    /// Breaks the seal for writing. Disallowed by clippy.toml, as [`Sensitive::expose`].
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Breaks the seal for good. Disallowed by clippy.toml, as [`Sensitive::expose`].
    pub fn into_exposed(self) -> T {
        self.value
    }
}
