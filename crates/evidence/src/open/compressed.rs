//! Single compressed streams: [gzip](https://www.rfc-editor.org/rfc/rfc1952),
//! [zstd](https://www.rfc-editor.org/rfc/rfc8878) and [xz](https://tukaani.org/xz/xz-file-format.txt), each perhaps
//! several after one another.

use crate::item::CHUNK_BYTES;
use crate::limits::Limits;
use crate::sniff::{Codec, TAR_BLOCK_BYTES, is_tar_header};
use std::io::{self, BufReader, Read};

/// The plain bytes of a compressed stream.
pub(crate) fn decoder<'a>(
    codec: Codec,
    stream: Box<dyn Read + 'a>,
    limits: &Limits,
) -> io::Result<Box<dyn Read + 'a>> {
    let stream = BufReader::with_capacity(CHUNK_BYTES, stream);
    Ok(match codec {
        Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
        Codec::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(stream)?;
            decoder.window_log_max(window_log(limits.decoder_memory_bytes))?;
            Box::new(decoder)
        }
        Codec::Xz => {
            let kib = u32::try_from(limits.decoder_memory_bytes / 1024).unwrap_or(u32::MAX);
            Box::new(lzma_rust2::XzReader::new_mem_limit(stream, true, kib))
        }
    })
}

/// Whether the plain bytes begin with a tar header.
pub(crate) fn holds_tar(codec: Codec, stream: Box<dyn Read + '_>, limits: &Limits) -> bool {
    let Ok(decoder) = decoder(codec, stream, limits) else {
        return false;
    };
    let mut block = Vec::with_capacity(TAR_BLOCK_BYTES);
    let block_bytes = u64::try_from(TAR_BLOCK_BYTES).unwrap_or(u64::MAX);
    match decoder.take(block_bytes).read_to_end(&mut block) {
        Ok(_) => is_tar_header(&block),
        Err(_) => false,
    }
}

/// The largest window of at most `bytes`, as the power of two that zstd counts in.
fn window_log(bytes: u64) -> u32 {
    bytes.max(1 << 20).ilog2().min(31)
}
