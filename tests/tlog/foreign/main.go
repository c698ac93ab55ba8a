// Reads a log by the packages of Go's checksum database, none of ours: golang.org/x/mod/sumdb.
//
//	go run main.go FOLDER VKEY OLD_SIZE < PROOFS
//
// Opens the checkpoint as a signed note, reads every hash through verified tiles, compares each entry
// with its leaf, and checks a proof of inclusion for each and that the tree has grown from that of
// OLD_SIZE entries. Then it checks the proofs that it is given: a line each, a number and hashes in
// base64; the first one is that of growth.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (f folder) Height() int { return 8 }

func (f folder) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// Go's database writes the height in front, c2sp.org/tlog-tiles leaves it out.
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(string(f), name))
		if err != nil {
			return nil, err
		}
		all = append(all, content)
	}
	return all, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func entries(home string, size int64) [][]byte {
	var found [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := size - n*256
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: 0, N: n, W: int(width)}
		name := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		content, err := os.ReadFile(filepath.Join(home, name))
		check(err)
		for len(content) > 0 {
			length := binary.BigEndian.Uint16(content)
			found = append(found, content[2:2+length])
			content = content[2+length:]
		}
	}
	return found
}

func main() {
	home := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	text, err := os.ReadFile(filepath.Join(home, "checkpoint"))
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, folder(home))
	found := entries(home, size)
	if int64(len(found)) != size {
		check(fmt.Errorf("%d entries of %d", len(found), size))
	}
	for n, entry := range found {
		proof, err := tlog.ProveRecord(size, int64(n), reader)
		check(err)
		check(tlog.CheckRecord(proof, size, root, int64(n), tlog.RecordHash(entry)))
	}
	old, err := strconv.ParseInt(os.Args[3], 10, 64)
	check(err)
	before, err := tlog.TreeHash(old, reader)
	check(err)
	proof, err := tlog.ProveTree(size, old, reader)
	check(err)
	check(tlog.CheckTree(proof, size, root, old, before))
	given := bufio.NewScanner(os.Stdin)
	for first := true; given.Scan(); first = false {
		words := strings.Fields(given.Text())
		number, err := strconv.ParseInt(words[0], 10, 64)
		check(err)
		var hashes []tlog.Hash
		for _, word := range words[1:] {
			hash, err := tlog.ParseHash(word)
			check(err)
			hashes = append(hashes, hash)
		}
		if first {
			check(tlog.CheckTree(hashes, size, root, number, before))
		} else {
			check(tlog.CheckRecord(hashes, size, root, number, tlog.RecordHash(found[number])))
		}
	}
	fmt.Println(before)
	fmt.Println(size, root)
}
