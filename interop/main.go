// Command check opens a log's evidence with golang.org/x/mod/sumdb and filippo.io/torchwood.
//
//	check note VKEY CHECKPOINT                 sumdb/note opens the signed note
//	check record VKEY PROOF LEAF               sumdb/tlog finds the leaf under the checkpoint
//	check tree VKEY OLD NEW HASHES             sumdb/tlog finds that the new tree extends the old
//	check checkpoint POLICY CHECKPOINT         torchwood finds the policy's signatures
//	check proof POLICY PROOF LEAF              torchwood verifies a tlog-proof
//	check cosignature VKEY CHECKPOINT          torchwood opens a witness's cosignature
//	check tiles VKEY LOG                       torchwood reads every entry; LOG is a folder or URL
//
// All but VKEY, LOG and the sizes within are paths of files. It exits 0 and prints what it found,
// or exits 1 and prints why not.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type command struct {
	arguments int
	run       func(arguments []string) (string, error)
}

var commands = map[string]command{
	"note":        {2, openNote},
	"record":      {3, checkRecord},
	"tree":        {4, checkTree},
	"checkpoint":  {2, checkPolicy},
	"proof":       {3, checkProof},
	"cosignature": {2, openCosignature},
	"tiles":       {2, readTiles},
}

func main() {
	if len(os.Args) < 2 || len(os.Args)-2 != commands[os.Args[1]].arguments {
		fmt.Fprintln(os.Stderr, "usage: see the top of main.go")
		os.Exit(2)
	}
	found, err := commands[os.Args[1]].run(os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(found)
}

func openNote(arguments []string) (string, error) {
	checkpoint, err := signedTree(arguments[0], arguments[1])
	return fmt.Sprintf("%s at %d", checkpoint.Origin, checkpoint.N), err
}

// signedTree opens the checkpoint in a file with the log's own key.
func signedTree(vkey, path string) (torchwood.Checkpoint, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	return openWith(vkey, data)
}

func openWith(vkey string, signed []byte) (torchwood.Checkpoint, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return torchwood.Checkpoint{}, err
	}
	return torchwood.ParseCheckpoint(opened.Text)
}

// checkRecord reads a tlog-proof without torchwood, so that only sumdb decides.
func checkRecord(arguments []string) (string, error) {
	proof, err := os.ReadFile(arguments[1])
	if err != nil {
		return "", err
	}
	leaf, err := os.ReadFile(arguments[2])
	if err != nil {
		return "", err
	}
	head, signed, found := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 {
		return "", errors.New("expected a tlog-proof")
	}
	var index int64
	if _, err := fmt.Sscanf(lines[1], "index %d", &index); err != nil {
		return "", err
	}
	hashes, err := parseHashes(lines[2:])
	if err != nil {
		return "", err
	}
	tree, err := openWith(arguments[0], []byte(signed))
	if err != nil {
		return "", err
	}
	err = tlog.CheckRecord(tlog.RecordProof(hashes), tree.N, tree.Hash, index, tlog.RecordHash(leaf))
	return fmt.Sprintf("entry %d of %d", index, tree.N), err
}

func checkTree(arguments []string) (string, error) {
	older, err := signedTree(arguments[0], arguments[1])
	if err != nil {
		return "", err
	}
	newer, err := signedTree(arguments[0], arguments[2])
	if err != nil {
		return "", err
	}
	lines, err := os.ReadFile(arguments[3])
	if err != nil {
		return "", err
	}
	hashes, err := parseHashes(strings.Fields(string(lines)))
	if err != nil {
		return "", err
	}
	err = tlog.CheckTree(tlog.TreeProof(hashes), newer.N, newer.Hash, older.N, older.Hash)
	return fmt.Sprintf("%d entries begin the %d", older.N, newer.N), err
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes[i] = hash
	}
	return hashes, nil
}

func readPolicy(path string) (torchwood.Policy, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return torchwood.ParsePolicy(data)
}

func checkPolicy(arguments []string) (string, error) {
	policy, err := readPolicy(arguments[0])
	if err != nil {
		return "", err
	}
	signed, err := os.ReadFile(arguments[1])
	if err != nil {
		return "", err
	}
	checkpoint, opened, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d entries, %d known signatures", checkpoint.N, len(opened.Sigs)), nil
}

func checkProof(arguments []string) (string, error) {
	policy, err := readPolicy(arguments[0])
	if err != nil {
		return "", err
	}
	proof, err := os.ReadFile(arguments[1])
	if err != nil {
		return "", err
	}
	leaf, err := os.ReadFile(arguments[2])
	if err != nil {
		return "", err
	}
	return "verified", torchwood.VerifyProof(policy, tlog.RecordHash(leaf), proof)
}

func openCosignature(arguments []string) (string, error) {
	verifier, err := torchwood.NewCosignatureVerifier(arguments[0])
	if err != nil {
		return "", err
	}
	signed, err := os.ReadFile(arguments[1])
	if err != nil {
		return "", err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return "", err
	}
	seconds, err := torchwood.CosignatureTimestamp(opened.Sigs[0])
	return fmt.Sprintf("%s at second %d", opened.Sigs[0].Name, seconds), err
}

func readTiles(arguments []string) (string, error) {
	ctx := context.Background()
	source, err := tileReader(arguments[1])
	if err != nil {
		return "", err
	}
	signed, err := source.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return "", err
	}
	checkpoint, err := openWith(arguments[0], signed)
	if err != nil {
		return "", err
	}
	client, err := torchwood.NewClient(source)
	if err != nil {
		return "", err
	}
	var count int64
	for index := range client.AllEntries(ctx, checkpoint.Tree, 0) {
		if index != count {
			return "", fmt.Errorf("expected entry %d, got %d", count, index)
		}
		count++
	}
	if err := client.Err(); err != nil {
		return "", err
	}
	if count != checkpoint.N {
		return "", fmt.Errorf("expected %d entries, got %d", checkpoint.N, count)
	}
	return fmt.Sprintf("%d entries", count), nil
}

func tileReader(log string) (torchwood.TileReader, error) {
	if strings.HasPrefix(log, "http") {
		return torchwood.NewTileFetcher(log)
	}
	return torchwood.NewTileFS(os.DirFS(log))
}
