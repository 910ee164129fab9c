package spider

// The upper bounds of the buckets, in seconds.
var (
	attemptBounds = []float64{1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200}
	taskBounds    = []float64{60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400}
)

// maxSeconds is the longest time that is believed: ten years.
const maxSeconds = 10 * 365 * 86400

// A histogram is one that can be written down. Buckets are not cumulative; the
// last one has what is above every bound.
type histogram struct {
	Bounds  []float64 `json:"bounds"`
	Buckets []uint64  `json:"buckets"`
	Sum     float64   `json:"sum"`
}

// observe counts the time between two moments in microseconds. One that is
// not known, or that runs backwards, is not counted. h may be nil: the result
// is the histogram to keep.
func (h *histogram) observe(bounds []float64, from, to int64) *histogram {
	seconds := float64(to-from) / 1e6
	if from == 0 || to == 0 || seconds < 0 || seconds > maxSeconds {
		return h
	}
	if h == nil {
		h = &histogram{Bounds: bounds, Buckets: make([]uint64, len(bounds)+1)}
	}
	i := 0
	for i < len(h.Bounds) && seconds > h.Bounds[i] {
		i++
	}
	h.Buckets[i]++
	h.Sum += seconds
	return h
}

// cumulative is the form that Prometheus wants.
func (h *histogram) cumulative() (count uint64, buckets map[float64]uint64) {
	buckets = map[float64]uint64{}
	for i, n := range h.Buckets {
		count += n
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = count
		}
	}
	return count, buckets
}

// whole reports whether h can be observed into.
func (h *histogram) whole() bool { return len(h.Bounds) > 0 && len(h.Buckets) == len(h.Bounds)+1 }

func (t *target) histograms() []*histogram {
	all := []*histogram{t.ToPull, t.ToMerge}
	for _, h := range t.Durations {
		all = append(all, h)
	}
	return all
}
