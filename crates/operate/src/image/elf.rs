//! A program that writes one line and ends with success, made byte by byte: a static ELF without sections, so that an image
//! can run anywhere without anything from anywhere.
//!
//! Layout of the file, which is loaded as a whole: header (ELF-64, 64 bytes), one program header (56), code, line.

/// A machine that images are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    Amd64,
    /// `AArch64`.
    Arm64,
}

/// Where the file is loaded.
const BASE: u64 = 0x40_0000;
/// Header and program header.
const HEAD: u64 = 64 + 56;
/// The largest page of the two machines: an address and its offset in the file have to be the same modulo it.
const PAGE: u64 = 0x1_0000;

impl Machine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The word in an image's `architecture`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// `e_machine` (ELF, Machine Information).
    const fn number(self) -> u16 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
        }
    }

    /// `write(1, line, length)`, then `exit(0)`, by the system calls of Linux. The line stands behind the code.
    fn code(self, length: u16) -> Vec<u8> {
        match self {
            Self::Amd64 => {
                let mut code = vec![0xb8, 1, 0, 0, 0]; // mov eax, 1 (write)
                code.extend([0xbf, 1, 0, 0, 0]); // mov edi, 1 (standard output)
                code.extend([0x48, 0x8d, 0x35, 16, 0, 0, 0]); // lea rsi, [rip + 16], the end of the code
                code.push(0xba); // mov edx, length
                code.extend(u32::from(length).to_le_bytes());
                code.extend([0x0f, 0x05]); // syscall
                code.extend([0xb8, 60, 0, 0, 0]); // mov eax, 60 (exit)
                code.extend([0x31, 0xff]); // xor edi, edi
                code.extend([0x0f, 0x05]); // syscall
                code
            }
            Self::Arm64 => {
                let words: [u32; 8] = [
                    0xd280_0020,                            // mov x0, #1 (standard output)
                    0x1000_00e1,                            // adr x1, . + 28, the end of the code
                    0xd280_0002 | (u32::from(length) << 5), // mov x2, #length
                    0xd280_0808,                            // mov x8, #64 (write)
                    0xd400_0001,                            // svc #0
                    0xd280_0000,                            // mov x0, #0
                    0xd280_0ba8,                            // mov x8, #93 (exit)
                    0xd400_0001,                            // svc #0
                ];
                words.iter().flat_map(|word| word.to_le_bytes()).collect()
            }
        }
    }
}

/// The program for `machine` that writes `line`, of which no more than 64 KiB are taken.
pub fn program(machine: Machine, line: &str) -> Vec<u8> {
    let line = &line.as_bytes()[..line.len().min(usize::from(u16::MAX))];
    let code = machine.code(line.len() as u16);
    let size = HEAD + (code.len() + line.len()) as u64;
    let mut file = Vec::with_capacity(size as usize);
    file.extend(b"\x7fELF");
    file.extend([2, 1, 1, 0]); // 64 bits, little-endian, version 1, System V
    file.extend([0; 8]);
    file.extend(2_u16.to_le_bytes()); // an executable
    file.extend(machine.number().to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend((BASE + HEAD).to_le_bytes()); // where it begins
    file.extend(64_u64.to_le_bytes()); // the program header's place
    file.extend(0_u64.to_le_bytes()); // no sections
    file.extend(0_u32.to_le_bytes()); // no flags
    for number in [64_u16, 56, 1, 64, 0, 0] {
        file.extend(number.to_le_bytes()); // sizes and counts of headers
    }
    file.extend(1_u32.to_le_bytes()); // to be loaded
    file.extend(5_u32.to_le_bytes()); // to be read and executed
    for number in [0, BASE, BASE, size, size, PAGE] {
        file.extend(number.to_le_bytes()); // offset, addresses, sizes, alignment
    }
    file.extend(code);
    file.extend(line);
    file
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_program_writes_its_line_and_ends_well() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        fs::write(&path, program(Machine::Amd64, "railhead proof 1\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let ran = Command::new(&path).output().unwrap();
        assert_eq!((ran.status.code(), ran.stdout.as_slice()), (Some(0), b"railhead proof 1\n".as_slice()));
    }

    #[test]
    fn the_line_is_where_the_code_looks_for_it() {
        for (machine, instruction, reach) in [(Machine::Amd64, 17, 16), (Machine::Arm64, 4, 28)] {
            let file = program(machine, "line");
            let line = file.windows(4).position(|bytes| bytes == b"line").unwrap();
            assert_eq!(HEAD as usize + instruction + reach, line, "{machine:?}");
            assert_eq!(file.len(), line + 4);
        }
    }
}
