//! Input folders in a temporary place, and tiny photos.
#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use albumen_corpus::ingest::{IngestError, Ingested, ingest};
use albumen_schema::config::{CorpusConfig, InputFormat, OwnerlessAlbums};
use albumen_schema::{Album, PhotoContent};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// An input folder; dropped, it is gone.
pub(crate) struct Input {
    dir: tempfile::TempDir,
    pub(crate) config: CorpusConfig,
}

impl Input {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in");
        fs::create_dir(&path).unwrap();
        let config = CorpusConfig {
            path,
            format: InputFormat::Auto,
            ownerless_albums: OwnerlessAlbums::Refuse,
            max_bad_photos: 0,
            max_pixels: 1_000_000,
            max_photos_per_album: 12,
        };
        Self { dir, config }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.config.path.join(name)
    }

    /// A place beside the input folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// An input that is one file of text.
    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) {
        self.config.path = self.beside("albums.jsonl");
        fs::write(&self.config.path, text).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "tests look at what they put in")]
    pub(crate) fn read(&self) -> Result<Ingested, IngestError> {
        ingest(&self.config).map(albumen_dp::Sensitive::into_exposed)
    }

    pub(crate) fn albums(&self) -> Vec<Album> {
        self.read().unwrap().albums
    }

    /// The error's text, with the temporary folder's name as `DIR`.
    pub(crate) fn message(&self) -> String {
        let text = self.read().unwrap_err().to_string();
        text.replace(&self.dir.path().display().to_string(), "DIR")
    }

    /// Photos that were set aside and why, with any number of them allowed.
    pub(crate) fn set_aside(&mut self) -> Vec<(String, String)> {
        self.config.max_bad_photos = usize::MAX;
        let found = self.read().unwrap();
        found
            .set_aside
            .into_iter()
            .map(|s| (s.photo, s.reason))
            .collect()
    }
}

/// A picture of this size; `shade` tells pictures apart.
pub(crate) fn picture(format: ImageFormat, width: u32, height: u32, shade: u8) -> Vec<u8> {
    let pixel = |x, y| Rgb([shade, (x * 7 % 256) as u8, (y * 5 % 256) as u8]);
    let mut out = Cursor::new(Vec::new());
    let image = DynamicImage::from(RgbImage::from_fn(width, height, pixel));
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

pub(crate) fn png(shade: u8) -> Vec<u8> {
    picture(ImageFormat::Png, 8, 6, shade)
}

/// A JPEG with EXIF: orientation and capture time.
pub(crate) fn jpeg_with_exif(
    width: u32,
    height: u32,
    orientation: u16,
    taken: Option<&str>,
) -> Vec<u8> {
    use exif::{Field, In, Tag, Value, experimental::Writer};
    let fields = [
        Some(Field {
            tag: Tag::Orientation,
            ifd_num: In::PRIMARY,
            value: Value::Short(vec![orientation]),
        }),
        taken.map(|t| Field {
            tag: Tag::DateTimeOriginal,
            ifd_num: In::PRIMARY,
            value: Value::Ascii(vec![t.as_bytes().to_vec()]),
        }),
    ];
    let mut writer = Writer::new();
    fields.iter().flatten().for_each(|f| writer.push_field(f));
    let mut tiff = Cursor::new(Vec::new());
    writer.write(&mut tiff, false).unwrap();
    let tiff = tiff.into_inner();
    let jpeg = picture(ImageFormat::Jpeg, width, height, 9);
    let mut out = jpeg[..2].to_vec();
    out.extend([0xff, 0xe1]);
    out.extend((tiff.len() as u16 + 8).to_be_bytes());
    out.extend(b"Exif\0\0");
    out.extend(tiff);
    out.extend(&jpeg[2..]);
    out
}

/// The header of a PNG that claims this size, with hardly any data behind it.
pub(crate) fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = width.to_be_bytes().to_vec();
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    for (kind, data) in [
        (b"IHDR", &header[..]),
        (b"IDAT", b"\x78\x9c\x03\0\0\0\0\x01"),
        (b"IEND", b""),
    ] {
        out.extend((data.len() as u32).to_be_bytes());
        let chunk: Vec<u8> = kind.iter().chain(data).copied().collect();
        out.extend(&chunk);
        out.extend(crc32(&chunk).to_be_bytes());
    }
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| {
            if c & 1 == 1 {
                c >> 1 ^ 0xedb8_8320
            } else {
                c >> 1
            }
        })
    })
}

/// Ids of an album's photos.
pub(crate) fn ids(album: &Album) -> Vec<&str> {
    album.photos.iter().map(|p| p.id.as_str()).collect()
}

/// Width, height and orientation of a photo.
pub(crate) fn shape(content: &PhotoContent) -> (u32, u32, u8) {
    match content {
        PhotoContent::File {
            width,
            height,
            orientation,
            ..
        } => (*width, *height, *orientation),
        PhotoContent::None => (0, 0, 0),
    }
}

pub(crate) fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
}

pub(crate) fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).unwrap();
}
