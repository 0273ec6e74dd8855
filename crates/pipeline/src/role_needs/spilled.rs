//! How needs stand in a scratch file: their fields one after the other, as nobody else reads them.
//!
//! As JSON, writing and reading them cost more than checking them.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read, Write};

use super::distinct::{Asked, Sample, Sums};

/// What can be written to a scratch file of this run, and read back from it.
pub(super) trait Spilled: Sized {
    fn write(&self, out: &mut impl Write) -> io::Result<()>;
    fn read(from: &mut impl BufRead) -> io::Result<Self>;
}

fn bytes<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl Spilled for u64 {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.to_le_bytes())
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        bytes(from).map(Self::from_le_bytes)
    }
}

impl Spilled for i64 {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.to_le_bytes())
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        bytes(from).map(Self::from_le_bytes)
    }
}

impl Spilled for bool {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&[u8::from(*self)])
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        bytes(from).map(|[byte]| byte == 1)
    }
}

impl Spilled for String {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        (self.len() as u64).write(out)?;
        out.write_all(self.as_bytes())
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let length = u64::read(from)?;
        // Nearly all lie in the buffer whole.
        let place = usize::try_from(length).map_err(io::Error::other)?;
        if let Some(text) = from.fill_buf()?.get(..place) {
            let text = str::from_utf8(text).map_err(io::Error::other)?.to_owned();
            from.consume(place);
            return Ok(text);
        }
        let mut text = String::new();
        from.take(length).read_to_string(&mut text)?;
        match text.len() as u64 == length {
            true => Ok(text),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<T: Spilled> Spilled for Option<T> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.is_some().write(out)?;
        self.iter().try_for_each(|value| value.write(out))
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        match bool::read(from)? {
            true => T::read(from).map(Some),
            false => Ok(None),
        }
    }
}

impl<T: Spilled> Spilled for Vec<T> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        (self.len() as u64).write(out)?;
        self.iter().try_for_each(|value| value.write(out))
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let length = u64::read(from)?;
        (0..length).map(|_| T::read(from)).collect()
    }
}

impl<T: Spilled + Ord> Spilled for BTreeSet<T> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        (self.len() as u64).write(out)?;
        self.iter().try_for_each(|value| value.write(out))
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        Vec::read(from).map(Self::from_iter)
    }
}

impl<A: Spilled, B: Spilled> Spilled for (A, B) {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.0.write(out)?;
        self.1.write(out)
    }

    fn read(from: &mut impl BufRead) -> io::Result<Self> {
        Ok((A::read(from)?, B::read(from)?))
    }
}

/// All fields of a struct, in one order for both ways.
macro_rules! spilled {
    ($name:ident { $($field:ident),* }) => {
        impl Spilled for $name {
            fn write(&self, out: &mut impl Write) -> io::Result<()> {
                let Self { $($field),* } = self;
                $($field.write(out)?;)*
                Ok(())
            }

            fn read(from: &mut impl BufRead) -> io::Result<Self> {
                $(let $field = Spilled::read(from)?;)*
                Ok(Self { $($field),* })
            }
        }
    };
}
spilled!(Asked {
    account_id,
    role_arn,
    action,
    resource_arn,
    resource_known,
    spellings,
    context
});
spilled!(Sums {
    jobs,
    required,
    mapping,
    last_time,
    event_names,
    first
});
spilled!(Sample {
    no_time,
    time,
    event_id,
    event_source,
    event_name,
    why,
    source_field,
    page
});
