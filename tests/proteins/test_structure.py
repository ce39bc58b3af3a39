"""Chains out of PDB and mmCIF: who is there, who was not seen, where the C-beta stands."""

from __future__ import annotations

import numpy as np
import pytest
from Bio.PDB.PDBParser import PDBParser
from realdata import real

from zoo.domain.errors import InputError
from zoo.proteins.contacts import distances, native
from zoo.proteins.structure import read_chain, read_chains, virtual_beta


def atom(serial, name, residue, chain, number, xyz, altloc=" ", insertion=" ", occupancy=1.0, record="ATOM  "):
    x, y, z = xyz
    return (
        f"{record}{serial:5d} {name:^4s}{altloc}{residue:3s} {chain}{number:4d}{insertion}   "
        f"{x:8.3f}{y:8.3f}{z:8.3f}{occupancy:6.2f}{10.0:6.2f}          {name[0]:>2s}\n"
    )


def residue(number, start, name="ALA", chain="A", **more) -> str:
    """N, CA, C on a line 1.3 A apart from `start` along x, C-beta above CA."""
    places = {"N": (start, 0, 0), "CA": (start + 1.3, 0, 0), "C": (start + 2.6, 0, 0), "CB": (start + 1.3, 1.5, 0)}
    return "".join(atom(1, a, name, chain, number, p, **more) for a, p in places.items())


def written(tmp_path, text, name="1abc.pdb"):
    path = tmp_path / name
    path.write_text(text + "END\n")
    return path


def test_a_break_in_the_chain_is_filled_and_a_jump_in_numbers_alone_is_not(tmp_path):
    joined = residue(10, 0) + residue(14, 3.9)
    broken = residue(10, 0) + residue(14, 15)
    assert len(read_chain(written(tmp_path, joined))) == 2
    chain = read_chain(written(tmp_path, broken))
    assert chain.sequence == "AXXXA" and chain.numbers == ("10", "", "", "", "14")
    assert chain.resolved.tolist() == [True, False, False, False, True]


def test_insertion_codes_keep_their_order(tmp_path):
    text = residue(52, 0) + residue(52, 3.9, "GLU", insertion="A") + residue(52, 7.8, "TRP", insertion="B")
    chain = read_chain(written(tmp_path, text))
    assert chain.sequence == "AEW" and chain.numbers == ("52", "52A", "52B")


def test_the_altloc_of_highest_occupancy_stands(tmp_path):
    text = residue(1, 0) + residue(2, 3.9, altloc="A", occupancy=0.3) + residue(2, 5.9, altloc="B", occupancy=0.7)
    assert read_chain(written(tmp_path, text)).beta[1].tolist() == pytest.approx([7.2, 1.5, 0])


def test_remark_465_tells_of_unseen_residues(tmp_path):
    remark = "REMARK 465   M RES C SSSEQI\nREMARK 465     MET A     1\nREMARK 465     LYS A     3\n"
    chain = read_chain(written(tmp_path, remark + residue(2, 0) + residue(4, 3.9)))
    assert chain.sequence == "MAKA" and chain.resolved.tolist() == [False, True, False, True]


HEAD = "REMARK 465   M RES C SSSEQI\n"


def test_insertion_codes_that_run_down_stay_in_the_order_of_the_file(tmp_path):
    remark = HEAD + "REMARK 465     LYS A     1D\nREMARK 465     TRP A     4\n"
    atoms = residue(1, 0, "GLU", insertion="C") + residue(1, 3.9, "ASP", insertion="B")
    atoms += residue(1, 7.8, "HIS") + residue(2, 11.7) + residue(5, 30, "VAL")
    chain = read_chain(written(tmp_path, remark + atoms))
    assert chain.sequence == "KEDHAWV" and chain.numbers == ("", "1C", "1B", "1", "2", "", "5")


def test_unseen_residues_stand_where_seqres_has_them(tmp_path):
    remark = HEAD + "REMARK 465     LYS A   100\nREMARK 465     TRP A   101\n"
    seqres = "SEQRES   1 A    5  ALA LYS TRP ALA GLU\n"
    atoms = residue(1, 0) + residue(2, 20) + residue(3, 23.9, "GLU")
    assert read_chain(written(tmp_path, remark + seqres + atoms)).sequence == "AKWAE"
    assert read_chain(written(tmp_path, remark + atoms)).sequence == "AAEKW"


def test_a_broken_number_in_remark_465_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="'GLY A x65' in REMARK 465"):
        read_chain(written(tmp_path, HEAD + "REMARK 465     GLY A   x65\n" + residue(2, 0)))


def test_a_free_amino_acid_makes_the_chain_no_longer(tmp_path):
    ligand = residue(301, 90, "GLU", record="HETATM")
    assert read_chain(written(tmp_path, residue(1, 0) + residue(2, 3.9) + ligand)).sequence == "AA"
    remark = HEAD + "REMARK 465     LYS A     0\n"
    assert read_chain(written(tmp_path, remark + residue(1, 0) + residue(2, 3.9) + ligand)).sequence == "KAA"


def test_rare_residues_have_their_parents_letter(tmp_path):
    names = ("SEC", "PYL", "MSE", "SEP")
    text = "".join(residue(i, 3.9 * i, name, record="HETATM") for i, name in enumerate(names))
    assert read_chain(written(tmp_path, text)).sequence == "CKMS"


def test_water_and_ligands_are_no_residues_and_modified_ones_are(tmp_path):
    water = atom(9, "O", "HOH", "A", 90, (0, 0, 9), record="HETATM")
    calcium = "HETATM    9 CA    CA A  91       0.000   0.000   9.000  1.00 10.00          CA\n"
    text = residue(1, 0) + residue(2, 3.9, "MSE", record="HETATM") + water + calcium
    assert read_chain(written(tmp_path, text)).sequence == "AM"


def test_glycine_has_its_alpha_and_a_lost_beta_is_placed():
    path = real("proteins/biopython_pdb/1A8O.pdb")
    chain = read_chain(path)
    residues = [r for r in PDBParser(QUIET=True).get_structure("", path)[0]["A"] if "CA" in r]
    glycine = chain.sequence.index("G")
    assert chain.beta[glycine].tolist() == pytest.approx(residues[glycine]["CA"].coord.tolist())
    atoms = [r for r in residues if "CB" in r]
    backbone = np.array([[r[a].coord for a in ("N", "CA", "C")] for r in atoms], dtype=float)
    off = np.linalg.norm(virtual_beta(backbone) - np.array([r["CB"].coord for r in atoms]), axis=1)
    assert np.sqrt((off**2).mean()) < 0.12


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("biopython_pdb/1A8O.pdb", {"A": (70, 70)}),
        ("biopython_pdb/1A8O.cif", {"A": (70, 70)}),
        ("biopython_pdb/4CUP.cif", {"A": (117, 115)}),
        ("biopython_pdb/2OFG.cif", {"X": (111, 106)}),  # NMR: the first of several models
        ("openfold_mmcif/3u8v.cif", {"A": (93, 83), "B": (93, 83)}),
        ("openfold_mmcif/4i6p.cif", {"A": (88, 84), "B": (88, 82)}),
    ],
)
def test_residues_and_resolved_ones(file, expected):
    chains = read_chains(real(f"proteins/{file}"))
    assert {name: (len(c), int(c.resolved.sum())) for name, c in chains.items()} == expected


def test_pdb_and_mmcif_of_one_entry_agree():
    pdb, cif = (read_chain(real(f"proteins/biopython_pdb/1A8O.{end}")) for end in ("pdb", "cif"))
    assert pdb.sequence == cif.sequence and pdb.sequence.startswith("M")  # a selenomethionine
    assert pdb.numbers == cif.numbers
    assert np.allclose(pdb.beta, cif.beta, atol=2e-3)


def test_unresolved_pairs_are_unknown():
    chain = read_chain(real("proteins/biopython_pdb/4CUP.cif"))
    truth = native(chain)
    lost = ~chain.resolved
    assert not truth.known[lost].any() and not truth.known[:, lost].any() and not truth.contact[lost].any()
    assert truth.known.sum() == 115**2 and truth.num_resolved == 115
    assert np.nanmax(np.abs(distances(chain) - distances(chain).T)) == 0


def test_wrong_structures_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no protein chain Z: there is A, B"):
        read_chain(real("proteins/openfold_mmcif/3u8v.cif"), "Z")
    with pytest.raises(InputError, match="has the chains A, B, C, D: say which one"):
        read_chain(real("proteins/pdb_1a3a/1a3a.pdb"))
    with pytest.raises(InputError, match="no readable structure"):
        read_chains(written(tmp_path, ">a\nMKV\n"))
    alpha = "".join(atom(1, "CA", "ALA", "A", i, (3.8 * i, 0, 0)) for i in range(5))
    alpha += atom(1, "CA", "GLY", "A", 5, (20, 0, 0))
    with pytest.raises(InputError, match=r"no protein chain with C-betas.*\(1 of 6 residues of 1abc_A have\)"):
        read_chains(written(tmp_path, alpha))
    with pytest.raises(InputError, match="no protein chain Z: there is one without a name"):
        read_chain(written(tmp_path, residue(1, 0, chain=" ")), "Z")
    with pytest.raises(InputError, match="no readable structure"):
        read_chains(written(tmp_path, "ATOM      1  P    DA A   1      0.0     0.0     0.0  1.00  0.00           P\n"))
