package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// monthsAhead is what a store without partitions reports.
const monthsAhead = 3

// purgeBatch is how many rows one transaction deletes, so that sign-ins need
// not wait long for a purge.
const purgeBatch = 1000

const rememberLifetime = `
	INSERT INTO memory (name, value) VALUES ('longest_lifetime', ?)
	ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
	RETURNING value`

// purges delete what has expired, a batch at a time.
var purges = []string{
	`DELETE FROM provider_token WHERE rowid IN (
		SELECT rowid FROM provider_token WHERE refresh_expires_at <= ? LIMIT ?)`,
	`DELETE FROM revoked_token WHERE jti IN (
		SELECT jti FROM revoked_token WHERE until <= ? LIMIT ?)`,
	`DELETE FROM outbox WHERE rowid IN (
		SELECT rowid FROM outbox WHERE not_by <= ? LIMIT ?)`,
}

// Maintain deletes what has expired: provider tokens whose refresh token has,
// revoked token ids, outbox entries that are given up, and the sessions of a
// month once its end plus the longest lifetime ever configured and
// [tokenstore.StartLag] has passed.
func (s *Store) Maintain(ctx context.Context, longestLifetime time.Duration) (tokenstore.MaintenanceReport, error) {
	if !s.maintaining.TryLock() {
		return tokenstore.MaintenanceReport{Skipped: true, MonthsAhead: monthsAhead}, nil
	}
	defer s.maintaining.Unlock()
	// Another binary may have migrated the file meanwhile.
	s.usable.Store(false)
	report := tokenstore.MaintenanceReport{MonthsAhead: monthsAhead}
	if err := s.maintain(ctx, longestLifetime, &report); err != nil {
		return report, wrap("maintaining token store", err)
	}
	return report, nil
}

func (s *Store) maintain(ctx context.Context, longest time.Duration, report *tokenstore.MaintenanceReport) error {
	var remembered int64
	err := s.single(ctx, func(t *tx) error {
		var err error
		remembered, err = one(ctx, t, scanOne[int64], rememberLifetime, longest.Microseconds())
		return err
	})
	if err != nil {
		return err
	}
	for _, statement := range purges {
		n, err := s.purge(ctx, statement, s.now().UnixMicro())
		report.Purged += n
		if err != nil {
			return err
		}
	}
	return s.dropMonths(ctx, time.Duration(remembered)*time.Microsecond, report)
}

// purge repeats a statement, whose last parameter is the batch's size, until
// it finds nothing more.
func (s *Store) purge(ctx context.Context, statement string, args ...any) (total int, err error) {
	for {
		var n int64
		err := s.single(ctx, func(t *tx) error {
			var err error
			n, err = t.exec(ctx, statement, append(args, purgeBatch)...)
			return err
		})
		total += int(n)
		if err != nil || n < purgeBatch {
			return total, err
		}
	}
}

// dropMonths deletes the sessions of months that are over for good, the oldest
// month first. A session that has not ended stays, whatever its month.
func (s *Store) dropMonths(ctx context.Context, longest time.Duration, report *tokenstore.MaintenanceReport) error {
	now := s.now()
	next := make([]byte, 16)
	for {
		q, err := s.read(ctx)
		if err != nil {
			return err
		}
		oldest, err := one(ctx, q, scanID,
			`SELECT id FROM session WHERE id >= ? AND expires_at <= ? ORDER BY id LIMIT 1`, next, now.UnixMicro())
		if errors.Is(err, tokenstore.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		month := idTime(oldest)
		end := time.Date(month.Year(), month.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		if now.Before(end.Add(longest + tokenstore.StartLag)) {
			return nil
		}
		bound := firstID(end)
		if _, err := s.purge(ctx, `
			DELETE FROM session WHERE id IN (
				SELECT id FROM session WHERE id < ? AND expires_at <= ? LIMIT ?)`,
			bound[:], now.UnixMicro()); err != nil {
			return err
		}
		report.Dropped = append(report.Dropped, month.Format("2006-01"))
		next = bound[:]
	}
}

// firstID is the smallest UUIDv7 of a time.
func firstID(t time.Time) uuid.UUID {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	id := uuid.UUID{6: 0x70, 8: 0x80}
	copy(id[:6], ms[2:])
	return id
}
