//! Vision-language captioners: frozen public models, one caption a photo, each photo alone.
