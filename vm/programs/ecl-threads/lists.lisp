;; SPDX-License-Identifier: GPL-2.0
;; lists.lisp THREADS UNITS: in each round every thread replaces the second element
;; of a seventh of the lists by one that it makes, others in each round; the threads
;; have parts of the table. At the end each list is looked at.
(defvar *arguments*
  (mapcar #'parse-integer (last (ext:command-args) 2)))
(defvar *threads* (first *arguments*))
(defvar *rounds* (second *arguments*))
(defvar *table* (make-array 20000))

(si::gc-stats t) ; count from here on

(defun work (thread)
  (dotimes (round *rounds*)
    (loop for i from thread below (length *table*) by *threads*
          when (= (mod i 7) (mod round 7))
          do (setf (second (aref *table* i)) (list round i (make-string 40))))))

(dotimes (i (length *table*))
  (setf (aref *table* i) (list i nil)))
(mapc #'mp:process-join
      (loop for thread below *threads*
            collect (let ((thread thread))
                      (mp:process-run-function thread (lambda () (work thread))))))

(dotimes (i (length *table*))
  (let* ((made (second (aref *table* i)))
         (last-round (loop for round from (1- *rounds*) downto 0
                           when (= (mod i 7) (mod round 7)) return round)))
    (unless (and (eql (first (aref *table* i)) i)
                 (eql (first made) last-round)
                 (or (null made) (eql (second made) i)))
      (format t "list ~a is wrong: ~s~%" i (aref *table* i))
      (ext:quit 1))))
(format t "count collections ~a~%" (nth-value 1 (si::gc-stats t)))
