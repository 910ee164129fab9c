package engine

func (s *Snapshot) checkInput() (string, error) { return "", nil }
